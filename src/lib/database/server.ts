import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from '../core/account.ts';
import { childFailure } from '../core/child-result.ts';
import { type Daemon, startDaemon } from '../core/daemon.ts';
import { errorCode, failure } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { run } from '../core/process.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, checkSocketPath, clusterMajor } from './cluster.ts';
import { withDatabase } from './connection.ts';
import { lockFile, lockHolder, processName, serverPid } from './lock-file.ts';
import { demandPassive } from './replication/degraded.ts';
import { replicationFiles } from './replication/place.ts';
import { openStartupLog, startFailure, wordsSince } from './startup-log.ts';

/** Milliseconds that a start may take as long as the server lives: crash recovery can be slow. */
const START_LIMIT = 300_000;
/** Milliseconds for which a lock of a killed server is waited out (its children end a little later; hazard CL-4). */
const LOCK_LIMIT = 30_000;
const POLL = 25;
/** SQLSTATE. */
const TOO_MANY_CONNECTIONS = '53300';

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

/** Whether another run has started this very server meanwhile, which then has the port; fails where a stranger has it. */
async function lostPort(cluster: Cluster): Promise<boolean> {
  try {
    await checkPortFree(cluster.port);
    return false;
  } catch (error) {
    if ((await serverPid(cluster)) !== undefined) return true;
    throw error;
  }
}

function serverArguments(cluster: Cluster): string[] {
  const replication = replicationFiles(cluster);
  const settings = {
    config_file: join(cluster.root, 'postgresql.conf'),
    data_directory: cluster.data,
    // Where it is looked for: DB_PORT may have been changed since postgresql.conf was written.
    port: String(cluster.port),
    hba_file: join(cluster.root, 'pg_hba.conf'),
    ident_file: join(cluster.root, 'pg_ident.conf'),
    unix_socket_directories: `"${cluster.socketDirectory.replaceAll('"', '""')}"`,
    ssl_cert_file: replication.certificate,
    ssl_key_file: replication.privateKey,
    ssl_ca_file: replication.authority,
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
    // A server without a free connection is one that runs.
    if (errorCode((error as Error).cause) === TOO_MANY_CONNECTIONS) return true;
    if (errorCode(error) === 'unreachable') return false;
    throw error;
  }
}

/** A server that was started. */
export type RunningServer = Daemon;

/** Waits out a server that is just starting or stopping, by another run: true when it answers, false when none is there. */
async function runsAlready(cluster: Cluster): Promise<boolean> {
  const limit = performance.now() + START_LIMIT;
  while ((await serverPid(cluster)) !== undefined) {
    checkInterruption();
    if (await answers(cluster)) return true;
    if (performance.now() > limit)
      throw failure(
        'unreachable',
        `the server in ${cluster.data} runs, but does not answer`,
        'ktadmin db restart',
      );
    await delay(POLL);
  }
  return false;
}

/** Starts the server once: the running server, or what it said before it ended. */
async function launch(cluster: Cluster, account: Account, postgres: string): Promise<RunningServer | string> {
  await demandPassive(cluster);
  const log = await openStartupLog(cluster);
  try {
    const server = await startDaemon(postgres, serverArguments(cluster), log.handle.fd, account.home);
    try {
      return (await waitUntilReady(cluster, server)) ? server : await wordsSince(cluster, log);
    } catch (error) {
      await stopAtOnce(server);
      throw error;
    }
  } finally {
    await log.handle.close();
  }
}

async function waitUntilReady(cluster: Cluster, server: RunningServer): Promise<boolean> {
  const limit = performance.now() + START_LIMIT;
  const ended = server.exited.then(() => 'ended' as const);
  while (performance.now() < limit) {
    checkInterruption();
    if ((await Promise.race([ended, delay(POLL)])) === 'ended') return false;
    // Another run's server may answer while ours is still finding out that it came second.
    if ((await serverPid(cluster)) === server.pid && (await answers(cluster))) return true;
  }
  throw failure(
    'failed',
    `PostgreSQL did not answer within ${START_LIMIT / 1000} s`,
    `the server's log is in ${cluster.logDirectory}`,
  );
}

/** Ends a server that this process started: connections are cut, transactions rolled back. */
export async function stopAtOnce(server: RunningServer): Promise<void> {
  try {
    process.kill(server.pid, 'SIGINT');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
  await server.wait();
}

/** PostgreSQL refuses to start while a process of its account has the number that the lock file of a dead server names. */
async function refuseForeignLock(cluster: Cluster): Promise<void> {
  const holder = await lockHolder(cluster);
  if (holder?.kind !== 'other') return;
  throw failure(
    'state',
    `${lockFile(cluster)} names process ${holder.pid} (${await processName(holder.pid)}), which is not its server`,
    `a server that was killed left it; make sure that none uses ${cluster.data}, then: rm ${lockFile(cluster)}`,
  );
}

/**
 * Starts the server and waits until it answers. A lock that a killed server's last children still hold is waited out;
 * the pid file is never deleted. Returns undefined when the server was running already.
 */
export async function startServer(cluster: Cluster, account: Account): Promise<RunningServer | undefined> {
  checkSocketPath(cluster);
  const { directory } = await findPostgres(await clusterMajor(cluster));
  const limit = performance.now() + LOCK_LIMIT;
  for (;;) {
    if (await runsAlready(cluster)) return undefined;
    if (await lostPort(cluster)) continue;
    const outcome = await launch(cluster, account, join(directory, 'postgres'));
    if (typeof outcome !== 'string') return outcome;
    // Another run may have been quicker.
    if ((await serverPid(cluster)) !== undefined) continue;
    const locked = /lock file .* (?:already exists|is empty)|pre-existing shared memory block/.test(outcome);
    if (!locked) throw await startFailure(cluster, outcome);
    await refuseForeignLock(cluster);
    if (performance.now() > limit) throw await startFailure(cluster, outcome);
    await delay(POLL * 4);
  }
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
