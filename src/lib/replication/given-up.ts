import { readControlData } from '../database/replication/control-data.ts';
import { type Node, writeNode } from '../database/replication/node.ts';
import { readNodes } from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import { reloadSettings } from '../database/replication/reload.ts';
import { writeReplicationSettings } from '../database/replication/settings.ts';
import { look } from './look.ts';
import type { Watching } from './watching.ts';

/**
 * On a passive server that does not follow: whether the active one, which takes writes, knows it no more. Its pair was ended, or another
 * server has its place. One that cannot be asked tells nothing.
 */
async function isGivenUp({ cluster }: Watching, { id, peer }: Node): Promise<boolean> {
  if (peer === null) return false;
  const { systemIdentifier } = await readControlData(cluster);
  return await withPeer(cluster, peer, async (database) => {
    const { inRecovery, system } = await look(database);
    if (inRecovery || system !== systemIdentifier) return false;
    const known = await readNodes(database);
    return known.length > 0 && known.every((each) => each.id !== id);
  }).catch(() => false);
}

/**
 * Has a passive server that was given up serve nobody from then on: what it has grows old, and a client that is stopped now would be
 * served here for ever. Whether that was so.
 */
export async function fenceGivenUp(watching: Watching, node: Node): Promise<boolean> {
  if (!(await isGivenUp(watching, node))) return false;
  const { cluster, log } = watching;
  await watching.record('ha.fenced', { active: node.peer?.host ?? null, epoch: node.epoch });
  const fenced: Node = { ...node, role: 'fenced' };
  await writeNode(cluster, fenced);
  await writeReplicationSettings(cluster, fenced);
  await reloadSettings(cluster, 'fenced');
  log.error(
    { active: node.peer?.host, hint: 'ktadmin ha rejoin makes it the passive server again' },
    'the pair goes on without this server: it serves nothing',
  );
  return true;
}
