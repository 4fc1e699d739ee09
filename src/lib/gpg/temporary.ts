import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../core/files.ts';
import { run } from '../core/process.ts';

/** Where private directories are made: GnuPG's sockets need a short path (hazard GP-14). */
const PLACE = '/tmp';

const gpgconf = (home: string, ...args: string[]) =>
  run('gpgconf', ['--homedir', home, ...args], { cleanUp: true }).catch(() => undefined);

/**
 * Ends the agent of a home; it would end by itself once its home is gone, but a minute later. Where the user has a run-time
 * directory, GnuPG has put the sockets there, in a directory of their own, which goes too.
 */
async function stopAgent(home: string): Promise<void> {
  if (await exists(join(home, 'S.gpg-agent'))) {
    await gpgconf(home, '--kill', 'gpg-agent');
    return;
  }
  const answer = await gpgconf(home, '--list-dirs', 'agent-socket');
  const socket = decodeURIComponent(answer?.stdout.trim() ?? '');
  if (socket === '' || socket.startsWith(home)) return;
  if (await exists(socket)) await gpgconf(home, '--kill', 'gpg-agent');
  await gpgconf(home, '--remove-socketdir');
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
