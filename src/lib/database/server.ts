import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from '../core/account.ts';
import { errorCode, failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';
import { childFailure, run, startDaemon } from '../core/process.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, checkSocketPath, clusterMajor } from './cluster.ts';
import { withDatabase } from './connection.ts';

/** Milliseconds that a start may take as long as the server lives: crash recovery can be slow. */
const START_LIMIT = 300_000;
/** Milliseconds for which a lock of a killed server is waited out (its children end a little later; hazard CL-4). */
const LOCK_LIMIT = 30_000;
const POLL = 25;

async function processName(pid: number): Promise<string | undefined> {
  return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
}

/** The process id of the running server, or undefined. A pid file that a killed server left behind does not count. */
export async function serverPid(cluster: Cluster): Promise<number | undefined> {
  const text = await readFile(join(cluster.data, 'postmaster.pid'), 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  });
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0)) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM' ? pid : undefined;
  }
  const command = await processName(pid);
  return command === undefined || command === '' || /postgres|postmaster/.test(command) ? pid : undefined;
}

/** Fails when something else listens on the port that this server keeps for itself (replication will use it). */
async function checkPortFree(port: number): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = createServer((socket) => socket.destroy());
    probe.once('error', (error) => resolve(errorCode(error)));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
  if (code === 'EADDRINUSE') {
    throw failure(
      'conflict',
      `port ${port} is held by another server`,
      `stop that server (ss -ltnp 'sport = :${port}' names it), or choose another port`,
    );
  }
  if (code === 'EACCES') throw failure('permission', `port ${port} may not be used by this account`);
}

function serverArguments(cluster: Cluster): string[] {
  const settings = {
    config_file: join(cluster.root, 'postgresql.conf'),
    data_directory: cluster.data,
    hba_file: join(cluster.root, 'pg_hba.conf'),
    ident_file: join(cluster.root, 'pg_ident.conf'),
    unix_socket_directories: `"${cluster.socketDirectory.replaceAll('"', '""')}"`,
  };
  return [
    '-D',
    cluster.root,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/** Whether the server accepts queries. */
async function answers(cluster: Cluster): Promise<boolean> {
  try {
    await withDatabase(cluster, (database) => database.query('select 1'), 'postgres');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'unreachable') return false;
    throw error;
  }
}

/** A server that was started. `exited` settles with its exit status when it ends. */
export interface RunningServer {
  pid: number;
  exited: Promise<number | null>;
}

async function launch(cluster: Cluster, account: Account, postgres: string): Promise<RunningServer | string> {
  const path = join(cluster.logDirectory, 'startup.log');
  const flags =
    constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW;
  const log = await open(path, flags, 0o600);
  try {
    const server = await startDaemon(postgres, serverArguments(cluster), log.fd, account.home);
    const ended = server.exited.then(() => 'ended' as const);
    const limit = Date.now() + START_LIMIT;
    while (Date.now() < limit) {
      if (interruption.aborted) return await giveUp(server);
      if ((await Promise.race([ended, delay(POLL)])) === 'ended') return await readFile(path, 'utf8');
      if (await answers(cluster)) return server;
    }
    return await giveUp(server);
  } finally {
    await log.close();
  }
}

async function giveUp(server: RunningServer): Promise<string> {
  process.kill(server.pid, 'SIGINT');
  await server.exited;
  if (interruption.aborted) throw interruption.reason;
  return `it did not answer within ${START_LIMIT / 1000} s`;
}

/**
 * Starts the server and waits until it answers. A lock that a killed server's last children still hold is waited out;
 * the pid file is never deleted. Returns undefined when the server was running already.
 */
export async function startServer(cluster: Cluster, account: Account): Promise<RunningServer | undefined> {
  checkSocketPath(cluster);
  const { directory } = await findPostgres(await clusterMajor(cluster));
  if ((await serverPid(cluster)) !== undefined && (await answers(cluster))) return undefined;
  await checkPortFree(cluster.port);
  const limit = Date.now() + LOCK_LIMIT;
  for (;;) {
    const outcome = await launch(cluster, account, join(directory, 'postgres'));
    if (typeof outcome !== 'string') return outcome;
    const locked = /lock file .* already exists|pre-existing shared memory block/.test(outcome);
    if (!locked || Date.now() > limit) throw startFailure(cluster, outcome);
    await delay(POLL * 4);
  }
}

function startFailure(cluster: Cluster, output: string): Error {
  const lines = output
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .slice(-6);
  if (/No space left on device/i.test(output)) {
    return failure(
      'failed',
      'PostgreSQL did not start: no space left on device',
      'free some space and run the command again',
    );
  }
  return failure(
    'failed',
    `PostgreSQL did not start:\n${lines.join('\n')}`,
    `the server's log is in ${cluster.logDirectory}`,
  );
}

/** Stops the server (open connections are ended, transactions rolled back). Returns false when it was not running. */
export async function stopServer(cluster: Cluster, account: Account): Promise<boolean> {
  if ((await serverPid(cluster)) === undefined) return false;
  const { directory } = await findPostgres(await clusterMajor(cluster));
  const program = join(directory, 'pg_ctl');
  const stopped = await run(program, ['stop', '-D', cluster.data, '-m', 'fast', '-w', '-t', '120'], {
    home: account.home,
  });
  if (stopped.status !== 0 && (await serverPid(cluster)) !== undefined) throw childFailure(program, stopped);
  return true;
}
