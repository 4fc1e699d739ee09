import { join } from 'node:path';
import { failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { type Cluster, clusterExists } from '../database/cluster.ts';
import { STANDBY_SIGNAL } from '../database/replication/base-copy.ts';
import { readControlData } from '../database/replication/control-data.ts';
import type { Node, Peer } from '../database/replication/node.ts';
import { activeNode, type PeerFacts, refuseStranger, refuseThird } from './peer-facts.ts';
import type { PairSite } from './site.ts';

/** The server that the pair went on with: the one that is named, or the one on record. */
export function peerOf({ peer }: Node, wished: Peer | undefined): Peer {
  const found = wished ?? peer;
  if (found !== null) return found;
  throw failure('usage', 'this server knows no other one', 'name the active server by --active HOST');
}

/** The error where the other server is passive: there is nothing to rejoin, or another one is active, or none. */
function noActive({ id, role }: Node, { host, port }: Peer, { pair, nodes }: PeerFacts): Error {
  if (role === 'active' || (role === 'alone' && nodes.some((each) => each.id === id)))
    return failure('state', 'this server is the active one: it has nothing to rejoin', 'ktadmin ha status');
  const message = `${host} is a passive server itself`;
  const active = nodes.find((each) => each.id === pair?.active && each.id !== id);
  if (active === undefined || (active.host === host && active.port === port))
    return failure('state', message, `on ${host}: ktadmin ha promote, where it is to go on`);
  return failure('state', message, `ktadmin ha rejoin --active ${active.host}:${active.port}`);
}

/** Refuses where the other server is not the active one of this server's pair, or has not gone on without this one. */
export async function refuseRejoin(
  { cluster, self }: PairSite,
  node: Node,
  peer: Peer,
  facts: PeerFacts,
): Promise<void> {
  const { host } = peer;
  if (facts.isPassive) throw noActive(node, peer, facts);
  const active = activeNode(facts, peer);
  if (active.id === node.id)
    throw failure(
      'state',
      `${host} does not know itself as the active server: its promotion was cut off, or it is this server`,
      `on ${host}: ktadmin ha promote finishes it`,
    );
  refuseStranger(active, self, peer);
  refuseThird(facts, node.id, self, peer);
  if (await clusterExists(cluster)) {
    if ((await readControlData(cluster)).systemIdentifier !== facts.systemIdentifier)
      throw failure(
        'conflict',
        `the database of ${host} is another one than this server's`,
        `ktadmin ha join --active ${host} makes this server its passive one`,
      );
  }
  const epoch = facts.pair?.epoch ?? 0;
  if (node.role === 'passive' || node.role === 'fenced' || epoch > node.epoch) return;
  throw failure(
    'state',
    `the pair has not gone on without this server: ${host} is at epoch ${epoch}, this server at ${node.epoch}`,
    'ktadmin ha status',
  );
}

/** Since when changes counted on this server alone; undefined where its data are a copy of another one's, or hold none. */
async function aloneSince(cluster: Cluster, node: Node): Promise<string | undefined> {
  if (node.role === 'alone' || !(await clusterExists(cluster))) return undefined;
  // The data of a server that follows are those of the other one, whatever it acknowledged before it was given them.
  if (await exists(join(cluster.data, STANDBY_SIGNAL))) return undefined;
  return node.aloneSince ?? undefined;
}

/** Refuses to give up what this server acknowledged alone, unless somebody says so by `option`. */
export async function refuseLoss(
  { cluster }: PairSite,
  node: Node,
  { host }: Peer,
  [isAccepted, option]: [boolean, string],
): Promise<void> {
  const since = await aloneSince(cluster, node);
  if (since === undefined || isAccepted) return;
  throw failure(
    'state',
    `since ${since} changes counted on this server alone; what ${host} lacks of them is lost unless it is brought over`,
    `${option} takes the data of ${host}, and keeps these beside them`,
  );
}
