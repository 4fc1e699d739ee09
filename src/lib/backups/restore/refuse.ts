import { join } from 'node:path';
import { readRawConfiguration } from '../../core/configuration.ts';
import { exists } from '../../core/files.ts';
import { WriteRefusal } from '../../core/refusal.ts';
import { type Cluster, clusterAt } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { refuseUnwritable } from '../../database/gate.ts';
import { serverPid } from '../../database/lock-file.ts';
import { STANDBY_SIGNAL } from '../../database/replication/base-copy.ts';
import { readNode } from '../../database/replication/node.ts';
import { MAINTENANCE } from './exchange.ts';

/**
 * Refuses a restore on the passive server of a pair, or on a fenced one, as PostgreSQL would later: before a set is decrypted,
 * and whether or not PostgreSQL runs, by what this host says of itself. What cannot be read refuses nothing here.
 */
export async function refuseByRole(confdir: string, pgRootdir: string | undefined): Promise<void> {
  const raw: Record<string, unknown> = await readRawConfiguration(confdir).catch(() => ({}));
  const root = pgRootdir ?? raw.PG_ROOTDIR;
  if (typeof root !== 'string') return;
  const node = await readNode({ root }).catch(() => undefined);
  if (node?.role === 'fenced') throw new WriteRefusal('fenced');
  // A host whose database is gone follows nobody any more.
  const signal = join(clusterAt(root, 1).data, STANDBY_SIGNAL);
  if (node?.role === 'passive' && (await exists(signal))) throw new WriteRefusal('read_only');
}

/** Refuses a restore that the database would refuse now, where it runs. */
export async function refuseNow(cluster: Cluster): Promise<void> {
  if ((await serverPid(cluster)) === undefined) return;
  await withDatabase(cluster, refuseUnwritable, MAINTENANCE).catch((error: unknown) => {
    // A database that does not answer is a reason to restore, not an obstacle to it.
    if (error instanceof WriteRefusal) throw error;
  });
}
