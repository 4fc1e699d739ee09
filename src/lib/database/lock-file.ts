import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../core/errors.ts';
import type { Cluster } from './cluster.ts';

/**
 * What the process is that `postmaster.pid` names: this cluster's server, another process that got the number later, or
 * none (a zombie counts as none: it is about to go).
 */
export interface LockHolder {
  pid: number;
  kind: 'server' | 'other' | 'gone';
}

/** The lock file of a cluster's server. */
export function lockFile(cluster: Cluster): string {
  return join(cluster.data, 'postmaster.pid');
}

async function readLock(cluster: Cluster): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(lockFile(cluster), 'utf8'), 10);
    return pid > 0 ? pid : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A server works in its data directory: that tells it from a process that only has the same number, or a similar name. */
async function worksIn(pid: number, directory: string): Promise<boolean | undefined> {
  try {
    const [own, place] = await Promise.all([stat(directory), stat(`/proc/${pid}/cwd`)]);
    return own.dev === place.dev && own.ino === place.ino;
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : false;
  }
}

/** Looks at a cluster's lock file; undefined where there is none. */
export async function lockHolder(cluster: Cluster): Promise<LockHolder | undefined> {
  const pid = await readLock(cluster);
  if (pid === undefined) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // The server runs as the account that this process is; what it may not signal is another's.
    return { pid, kind: errorCode(error) === 'EPERM' ? 'other' : 'gone' };
  }
  const works = await worksIn(pid, cluster.data);
  return { pid, kind: works === undefined ? 'gone' : works ? 'server' : 'other' };
}

/** The process id of the running server, or undefined. A lock file that a killed server left behind does not count. */
export async function serverPid(cluster: Cluster): Promise<number | undefined> {
  const holder = await lockHolder(cluster);
  return holder?.kind === 'server' ? holder.pid : undefined;
}

/** What a process was started as, for a message. */
export async function processName(pid: number): Promise<string> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return name.trim() || 'unknown';
}
