import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../core/files.ts';
import { run } from '../core/process.ts';

/** Where private directories are made: GnuPG's sockets need a short path (hazard GP-14). */
const PLACE = '/tmp';

/** Ends the agent of a home. It would end by itself once its home is gone, but a minute later. */
async function stopAgent(home: string): Promise<void> {
  if (!(await exists(join(home, 'S.gpg-agent')))) {
    const args = ['--homedir', home, '--list-dirs', 'agent-socket'];
    const answer = await run('gpgconf', args, { cleanUp: true }).catch(() => undefined);
    if (answer === undefined || !(await exists(decodeURIComponent(answer.stdout.trim())))) return;
  }
  await run('gpgconf', ['--homedir', home, '--kill', 'gpg-agent'], { cleanUp: true }).catch(() => undefined);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** The namespace in which a process id means something: containers can share a /tmp. */
async function pidNamespace(): Promise<string> {
  const link = await readlink('/proc/self/ns/pid').catch(() => '');
  return /\d+/.exec(link)?.[0] ?? '0';
}

async function isAbandoned(name: string, prefix: string): Promise<boolean> {
  const pid = name.startsWith(prefix) ? /^\d+(?=-)/.exec(name.slice(prefix.length))?.[0] : undefined;
  if (pid === undefined || isAlive(Number(pid))) return false;
  const stats = await lstat(join(PLACE, name)).catch(() => undefined);
  return stats?.isDirectory() === true && stats.uid === process.getuid?.();
}

/** Takes away what killed runs of this account left: a directory each, and an agent that would stay for ever. */
async function sweepAbandoned(prefix: string): Promise<void> {
  for (const name of await readdir(PLACE)) {
    if (!(await isAbandoned(name, prefix))) continue;
    await stopAgent(join(PLACE, name));
    await rm(join(PLACE, name), { recursive: true, force: true });
  }
}

/**
 * Lends a private directory with a short path, named after this process, and takes it away afterwards with the agent
 * that GnuPG may have started in it.
 */
export async function withPrivateHome<T>(work: (home: string) => Promise<T>): Promise<T> {
  const prefix = `ktgpg-${await pidNamespace()}-`;
  await sweepAbandoned(prefix);
  const home = await mkdtemp(join(PLACE, `${prefix}${process.pid}-`));
  try {
    return await work(home);
  } finally {
    await stopAgent(home);
    await rm(home, { recursive: true, force: true });
  }
}
