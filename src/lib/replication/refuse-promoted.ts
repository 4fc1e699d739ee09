import { explain, failure } from '../core/errors.ts';
import type { Database } from '../database/connection.ts';
import { checkFence } from '../database/replication/fence.ts';
import type { Node, Peer } from '../database/replication/node.ts';
import { readNodes } from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import { joinCommand } from '../database/replication/unjoined.ts';
import { foundBy } from './active-server.ts';
import { type Look, look } from './look.ts';
import type { PairSite } from './site.ts';

/** How long the passive server is waited for; milliseconds. */
const LIMIT = 2000;

async function refuseSuccessor(site: PairSite): Promise<void> {
  const fenced = await checkFence(site.cluster, ({ peer, epoch }) =>
    site.record({ fenced: true, active: peer.host, epoch }),
  );
  if (fenced === undefined) return;
  throw failure(
    'state',
    `the pair went on without this server: ${fenced.peer?.host ?? 'another one'} is active, epoch ${fenced.epoch}`,
    'ktadmin ha rejoin makes it the passive server',
  );
}

/** Refuses one that takes writes. A host that was made anew has another database: nothing of this pair was promoted there. */
function refuseWriting({ self }: PairSite, { host, port }: Peer, isOurs: boolean, isVouched: boolean): void {
  if (isOurs) throw failure('state', `${host} takes writes itself`, 'ktadmin ha status');
  if (isVouched) return;
  throw failure(
    'state',
    `${host} takes writes itself, in a database that is not this pair's`,
    `on ${host}: ${joinCommand({ port }, self)}; --not-promoted goes on without it, where it was made anew`,
  );
}

/** Refuses where the other server takes writes, or cannot be asked and nobody vouches for it. A refused connection: it is down. */
async function refuseUnknown(site: PairSite, peer: Peer, own: Look, isVouched: boolean): Promise<void> {
  let its: Look;
  try {
    its = await withPeer(site.cluster, peer, look, LIMIT);
  } catch (error) {
    if (isVouched || foundBy(error) === 'refused') return;
    throw failure(
      'state',
      `nobody knows whether ${peer.host} was promoted: ${explain(error).message}`,
      '--not-promoted, where it was not for certain; else both servers would take writes',
    );
  }
  if (!its.inRecovery) refuseWriting(site, peer, its.system === own.system, isVouched);
}

/** Before this server goes on alone: makes sure that the passive one was not promoted. Where it was, this one is fenced. */
export async function refusePromoted(
  site: PairSite,
  database: Database,
  node: Node,
  isVouched: boolean,
): Promise<void> {
  await refuseSuccessor(site);
  const own = await look(database);
  if (own.synchronous === null) return;
  const others = (await readNodes(database)).filter(({ id }) => id !== node.id);
  for (const peer of node.peer === null ? others : [node.peer])
    await refuseUnknown(site, peer, own, isVouched);
}
