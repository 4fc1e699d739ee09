import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../../core/account.ts';
import { exists, removeTree, syncDirectory } from '../../core/files.ts';
import { run } from '../../core/process.ts';
import { reached } from '../../core/steps.ts';
import { findPostgres } from '../binaries.ts';
import { type Cluster, clusterExists, clusterMajor, rewindPlaces } from '../cluster.ts';
import { startServer, stopServer } from '../server.ts';
import { STANDBY_SIGNAL } from './base-copy.ts';
import { connectionString } from './conninfo.ts';
import { readControlData } from './control-data.ts';
import type { Peer } from './node.ts';

/** Where the log of two servers parted, as pg_rewind tells it. */
const PARTED = /servers diverged at WAL location ([0-9A-F]+\/[0-9A-F]+) on timeline/;

/** A position in the log as a number. */
function position(text: string): number {
  const [high = '0', low = '0'] = text.split('/');
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16);
}

/** What only this server had in its log, in bytes. Most of it is PostgreSQL's own housekeeping. */
function discarded(told: string, end: string): number {
  const parted = PARTED.exec(told)?.[1];
  return parted === undefined ? 0 : Math.max(0, position(end) - position(parted));
}

async function move(cluster: Cluster, from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(cluster.root);
}

/** Puts a data directory in place that an earlier run had rewound. One that was being rewound is of no use, and goes. */
export async function settleRewind(cluster: Cluster): Promise<void> {
  const { rewinding, rewound } = rewindPlaces(cluster);
  const isThere = await clusterExists(cluster);
  if (!isThere && (await exists(rewound))) await move(cluster, rewound, cluster.data);
  // As long as nothing is in its place, it says why that is so.
  if (await clusterExists(cluster)) for (const left of [rewinding, rewound]) await removeTree(left);
}

/** pg_rewind takes only what was shut down in order: a server that was killed has to recover first. Where its log ends. */
async function shutDown(cluster: Cluster, account: Account): Promise<string> {
  await stopServer(cluster, account);
  const found = await readControlData(cluster);
  if (/^shut down/.test(found.state)) return found.checkpoint;
  await startServer(cluster, account);
  await stopServer(cluster, account);
  return (await readControlData(cluster)).checkpoint;
}

/** Runs pg_rewind; what it says, or undefined where it failed. */
async function runRewind(
  cluster: Cluster,
  account: Account,
  peer: Peer,
  words: string[],
): Promise<string | undefined> {
  const { directory } = await findPostgres(await clusterMajor({ ...cluster, data: words[0] ?? '' }));
  const source = connectionString(cluster, peer, { application_name: 'ktadmin' });
  const [target = '', ...how] = words;
  const all = ['--target-pgdata', target, '--source-server', source, ...how];
  const done = await run(join(directory, 'pg_rewind'), all, { home: account.home });
  return done.status === 0 ? done.stderr : undefined;
}

/**
 * Takes back what this server wrote after the other one went on, so that it can follow that one. PostgreSQL is stopped then.
 * `before` is done when the data are rewound and not in their place yet. Returns how many bytes of log were taken back;
 * undefined where it cannot be done, and the other server's data have to be copied.
 */
export async function rewind(
  cluster: Cluster,
  account: Account,
  peer: Peer,
  before: () => Promise<void>,
): Promise<number | undefined> {
  const { rewinding, rewound } = rewindPlaces(cluster);
  const end = await shutDown(cluster, account);
  reached('rejoin-stopped');
  // First without a change: what cannot be rewound stays whole.
  if ((await runRewind(cluster, account, peer, [cluster.data, '--dry-run'])) === undefined) return undefined;
  await move(cluster, cluster.data, rewinding);
  reached('rejoin-aside');
  const told = await runRewind(cluster, account, peer, [rewinding]);
  if (told === undefined) return undefined;
  reached('rejoin-rewound');
  await writeFile(join(rewinding, STANDBY_SIGNAL), '', { mode: 0o600, flush: true });
  await syncDirectory(rewinding);
  await move(cluster, rewinding, rewound);
  await before();
  reached('rejoin-settled');
  await move(cluster, rewound, cluster.data);
  reached('rejoin-placed');
  return discarded(told, end);
}
