import type { Cluster } from '../cluster.ts';
import { clusterExists } from '../cluster.ts';
import { withDatabase } from '../connection.ts';
import { serverPid } from '../lock-file.ts';
import { type Node, type Peer, readNode, writeNode } from './node.ts';
import { readNodes } from './pair.ts';
import { REPLICATION_DATABASE } from './place.ts';
import { reloadSettings } from './reload.ts';
import { writeReplicationSettings } from './settings.ts';
import { findSuccessor, type Successor } from './successor.ts';

/** A server that is fenced: its pair goes on with another. */
export interface Fenced {
  /** Whether that was found out just now. */
  isNew: boolean;
  /** The server that the pair goes on with; null where a server that was fenced before has none on record. */
  peer: Peer | null;
  /** Its epoch, as far as it is known here. */
  epoch: number;
  /** Since when changes counted on this server alone; null where they did not, or nobody knows. */
  aloneSince: string | null;
}

/** The other servers that may have gone on: the one on record, or where there is none yet, those that the database knows. */
async function othersOf(cluster: Cluster, node: Node): Promise<Peer[]> {
  if (node.peer !== null) return [node.peer];
  if ((await serverPid(cluster)) === undefined) return [];
  const known = await withDatabase(cluster, readNodes, REPLICATION_DATABASE);
  return known.filter(({ id }) => id !== node.id).map(({ host, port }) => ({ host, port }));
}

async function fence(cluster: Cluster, node: Node, { peer, epoch }: Successor): Promise<void> {
  const fenced: Node = { ...node, role: 'fenced', epoch: Math.max(node.epoch, epoch), peer };
  await writeNode(cluster, fenced);
  await writeReplicationSettings(cluster, fenced);
  await reloadSettings(cluster, 'fenced');
}

/**
 * Looks whether the pair went on without this server, and fences it then: its settings say so before PostgreSQL takes another
 * write, whether it runs now or is started next. `before` is told first; that it fails hinders nothing. Undefined where this
 * server is not fenced. For one that runs, and for one that is about to be started.
 */
export async function checkFence(
  cluster: Cluster,
  before: (successor: Successor) => Promise<void> = async () => undefined,
): Promise<Fenced | undefined> {
  const node = await readNode(cluster);
  if (node === undefined || node.role === 'passive' || !(await clusterExists(cluster))) return undefined;
  const { aloneSince = null } = node;
  if (node.role === 'fenced') {
    // A run that was cut off may have come as far as node.json.
    if (await writeReplicationSettings(cluster, node)) await reloadSettings(cluster, 'fenced');
    return { isNew: false, peer: node.peer, epoch: node.epoch, aloneSince };
  }
  for (const peer of await othersOf(cluster, node)) {
    const successor = await findSuccessor(cluster, node, peer);
    if (successor === undefined) continue;
    await before(successor).catch(() => undefined);
    await fence(cluster, node, successor);
    return { isNew: true, peer, epoch: successor.epoch, aloneSince };
  }
  return undefined;
}
