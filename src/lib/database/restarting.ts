import { exists } from '../core/files.ts';
import { isLocked, withLock } from '../core/lock.ts';
import type { Cluster } from './cluster.ts';

const PURPOSE = 'restart of PostgreSQL';

/**
 * Does work that stops a cluster's server and starts it again, one run at a time. Who keeps that server in the foreground
 * sees by it that the end of the server is not meant to last.
 */
export async function whileRestarting<T>(cluster: Cluster, work: () => Promise<T>): Promise<T> {
  return (await exists(cluster.root)) ? withLock(cluster.root, PURPOSE, work) : work();
}

/** Whether such work is going on. */
export async function isRestarting(cluster: Cluster): Promise<boolean> {
  return (await exists(cluster.root)) && isLocked(cluster.root, PURPOSE);
}
