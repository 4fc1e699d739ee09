import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';
import type { Database } from '../database/connection.ts';
import type { Node, Peer } from '../database/replication/node.ts';
import { type PairNode, readFollowers, readNodes, readPair } from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import { joinCommand } from '../database/replication/unjoined.ts';
import { rejoinHint } from './hints.ts';
import { type Look, look } from './look.ts';
import type { PairSite } from './site.ts';
import { whereOther } from './whereabouts.ts';

const POLL = 50;

/** A passive that has joined may take so long to follow again after a cut link; milliseconds. */
const FOLLOW_LIMIT = 15_000;

/** The other server's answer is waited for no longer; milliseconds. */
const ASK_LIMIT = 2000;

/** The passive server that follows now. */
async function findFollower(database: Database, node: Node): Promise<PairNode | undefined> {
  return (await readFollowers(database)).find(({ id }) => id !== node.id);
}

/** Refuses at once where the other server says that it will not follow, however long it is waited for. */
function refuseOther({ self }: PairSite, { host, port }: Peer, own: Look, its: Look): void {
  if (its.role === 'fenced')
    throw failure(
      'state',
      `${host} is fenced: the pair went on without it`,
      rejoinHint({ here: false, host }, its.aloneSince),
    );
  if (its.inRecovery) return;
  const isOurs = its.system === own.system;
  const join = `on ${host}: ${joinCommand({ port }, self)}`;
  throw failure('state', `${host} takes writes itself`, isOurs ? 'ktadmin ha status' : join);
}

/** The passive server that follows; one that has joined is waited for. */
export async function followerOf(site: PairSite, database: Database, node: Node): Promise<PairNode> {
  const first = await findFollower(database, node);
  if (first !== undefined) return first;
  const [own, pair, nodes] = [await look(database), await readPair(database), await readNodes(database)];
  const other = whereOther(node, { look: own, pair, nodes });
  const message = 'no passive server follows this one';
  if (other === undefined)
    throw failure('state', message, `on another host: ${joinCommand(site.self, site.self)}`);
  const its = await withPeer(site.cluster, other, look, ASK_LIMIT).catch(() => undefined);
  if (its !== undefined) refuseOther(site, other, own, its);
  for (const end = performance.now() + FOLLOW_LIMIT; performance.now() < end; await delay(POLL)) {
    checkInterruption();
    const found = await findFollower(database, node);
    if (found !== undefined) return found;
  }
  const next = `on ${other.host}: ktadmin ${its === undefined ? 'db start' : 'ha rejoin'}`;
  throw failure('state', message, `${next}; ktadmin ha status tells more`);
}
