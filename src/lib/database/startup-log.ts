import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../core/errors.ts';
import { isDiskFull } from '../core/files.ts';
import type { Cluster } from './cluster.ts';

/** Where a server writes until it has its own log, and how long each log was before the start. */
export interface StartupLog {
  handle: FileHandle;
  earlier: Map<string, number>;
}

const STARTUP = 'startup.log';
/** Longer than this the startup log begins anew; bytes. Usually it grows by nothing. */
const STARTUP_LIMIT = 1024 * 1024;

async function logSizes(cluster: Cluster): Promise<Map<string, number>> {
  const names = await readdir(cluster.logDirectory);
  const sizes = names
    .filter((name) => name === STARTUP || name.startsWith('postgresql-'))
    .map(async (name) => [name, (await stat(join(cluster.logDirectory, name))).size] as const);
  return new Map(await Promise.all(sizes));
}

/**
 * Opens the file that takes what a server says before its own log begins. The caller closes its handle. Another run may
 * be starting the server at the same moment, so nothing is cut off.
 */
export async function openStartupLog(cluster: Cluster): Promise<StartupLog> {
  const { O_CREAT, O_WRONLY, O_APPEND, O_NOFOLLOW } = constants;
  const path = join(cluster.logDirectory, STARTUP);
  const handle = await open(path, O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW, 0o600);
  if ((await handle.stat()).size > STARTUP_LIMIT) await handle.truncate();
  return { handle, earlier: await logSizes(cluster) };
}

/** All that a server said since it was started, first on its standard error and then in its log. */
export async function wordsSince(cluster: Cluster, log: StartupLog): Promise<string> {
  let words = '';
  const sizes = [...(await logSizes(cluster))].toSorted(
    ([a], [b]) => Number(b === STARTUP) - Number(a === STARTUP),
  );
  for (const [name, size] of sizes) {
    const bytes = await readFile(join(cluster.logDirectory, name));
    words += bytes.subarray(Math.min(log.earlier.get(name) ?? 0, size)).toString('utf8');
  }
  return words;
}

/** What every start says, and what it answers to those who ask too early; that tells nothing of this one. */
const ROUTINE =
  /redirecting log output|Future log output|starting PostgreSQL|listening on|database system (?:was|is) shut down|database system is starting up/;

/** The error of a server that ended instead of starting: its last words that say why, without the time of day. */
export async function startFailure(cluster: Cluster, words: string): Promise<Error> {
  if (/No space left on device/i.test(words) || (await isDiskFull(cluster.root))) {
    return failure(
      'failed',
      'PostgreSQL did not start: no space left on device',
      'free some space and run the command again',
    );
  }
  const lines = words
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\d\d-\d\d .*?\] (?=[A-Z]+:)/, ''))
    .filter((line) => line !== '' && !ROUTINE.test(line));
  const last = lines.findLastIndex((line) => /^(?:FATAL|PANIC):/.test(line));
  const told = lines.slice(0, last === -1 ? lines.length : last + 1).slice(-6);
  return failure(
    'failed',
    `PostgreSQL did not start:\n${told.map((line) => `  ${line}`).join('\n')}`,
    `the server's log is in ${cluster.logDirectory}`,
  );
}
