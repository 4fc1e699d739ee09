import { readFile } from 'node:fs/promises';
import type { Cluster } from '../cluster.ts';
import { readNode } from './node.ts';
import { replicationFiles } from './place.ts';
import { writeReplicationSettings } from './settings.ts';

/** The node that an active server goes on without, as its settings have it; undefined where it does not. */
async function goesOnWithout(cluster: Cluster): Promise<string | undefined> {
  const text = await readFile(replicationFiles(cluster).settings, 'utf8').catch(() => '');
  return /^keytrustee\.degraded = '(kt[0-9a-f]{16}) /m.exec(text)?.[1];
}

/**
 * Has an active server that is about to be started demand its passive again, where it went on without: nobody knows what the
 * passive has become while this server was down.
 */
export async function demandPassive(cluster: Cluster): Promise<void> {
  const passive = await goesOnWithout(cluster);
  if (passive === undefined) return;
  const node = await readNode(cluster);
  if (node?.role === 'active') await writeReplicationSettings(cluster, node, { synchronous: passive });
}
