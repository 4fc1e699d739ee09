import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** The namespace in which a process id means something: containers can share a /tmp. */
async function pidNamespace(): Promise<string> {
  const link = await readlink('/proc/self/ns/pid').catch(() => '');
  return /\d+/.exec(link)?.[0] ?? '0';
}

/** How the names of a kind of temporary directories begin; the number of the process that made one comes next, and `-`. */
export async function temporaryPrefix(kind: string): Promise<string> {
  return `${kind}-${await pidNamespace()}-`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function isAbandoned(path: string, rest: string): Promise<boolean> {
  const pid = /^\d+(?=-)/.exec(rest)?.[0];
  if (pid === undefined || isAlive(Number(pid))) return false;
  const stats = await lstat(path).catch(() => undefined);
  return stats?.isDirectory() === true && stats.uid === process.getuid?.();
}

/** Temporary directories whose process did not live to take them away. Only this account's own count. */
export async function abandonedDirectories(place: string, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(place)) {
    const path = join(place, name);
    if (name.startsWith(prefix) && (await isAbandoned(path, name.slice(prefix.length)))) found.push(path);
  }
  return found;
}
