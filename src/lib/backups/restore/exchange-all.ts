import { dirname } from 'node:path';
import { failure } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import { withLock } from '../../core/lock.ts';
import { shellWord } from '../../core/quote.ts';
import { WriteRefusal } from '../../core/refusal.ts';
import { reached } from '../../core/steps.ts';
import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { untilInStep } from '../../database/in-step.ts';
import { databaseNames, databaseOid, MAINTENANCE } from './exchange.ts';
import {
  lookAtParts,
  placeDatabase,
  placeDirectory,
  takeDatabaseBack,
  takeDirectoryBack,
} from './exchange-parts.ts';
import { type Journal, readJournal, removeJournal, writeJournal } from './journal.ts';

/**
 * What takes the place of what: each `staged` directory goes to its `place`, and what lies there is kept as `kept`. The
 * three are on one file system; the parents of two parts may differ. The database `loaded` becomes the server's.
 */
export interface Exchange {
  directories: { staged: string; place: string; kept: string }[];
  database?: { cluster: Cluster; loaded: string; kept: string } | undefined;
}

/** What a journal says besides: what it is part of (for messages), and what a later run can check. */
export type About = Pick<Journal, 'purpose'> & Partial<Pick<Journal, 'expected' | 'set'>>;

/** Fails when what is in place now is not what it should be. */
type Check = (journal: Journal) => Promise<void>;

/**
 * Nothing is exchanged while the passive server of a pair lacks what was loaded. From here on the exchange waits for nobody:
 * half of it is worse than one that is here alone for a while.
 */
async function refuseOutOfStep({ cluster }: { cluster: Cluster }): Promise<void> {
  try {
    await withDatabase(cluster, untilInStep, MAINTENANCE);
  } catch (error) {
    if (!(error instanceof WriteRefusal) || error.refusal !== 'unconfirmed') throw error;
    throw failure(
      'unreachable',
      'the passive server does not take over what was loaded',
      'ktadmin ha status shows why; then run the command again',
      error,
    );
  }
}

async function describe({ directories, database }: Exchange, about: About): Promise<Journal> {
  const parts: Journal['directories'] = [];
  for (const part of directories) parts.push({ ...part, former: await exists(part.place) });
  const journal: Journal = { format: 1, ...about, directories: parts };
  if (database === undefined) return journal;
  const { cluster, loaded, kept } = database;
  const former = (await databaseNames(cluster)).includes(DATABASE);
  const { root, port } = cluster;
  return {
    ...journal,
    database: { root, port, loaded, oid: await databaseOid(cluster, loaded), kept, former },
  };
}

/** Goes back, the last part first; one that fails does not keep the others from being tried. */
async function takeAllBack(path: string, journal: Journal): Promise<void> {
  await lookAtParts(journal);
  const failed: unknown[] = [];
  for (const part of journal.directories.toReversed())
    await takeDirectoryBack(part).catch((error: unknown) => failed.push(error));
  if (journal.database !== undefined)
    await takeDatabaseBack(journal.database).catch((error: unknown) => failed.push(error));
  if (failed.length > 0) throw failed[0];
  await removeJournal(path);
  reached('revert-closed');
}

const wording = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function placeAll(path: string, journal: Journal, check: Check): Promise<void> {
  try {
    await lookAtParts(journal);
    if (journal.database !== undefined) await placeDatabase(journal.database, journal.purpose);
    for (const part of journal.directories) await placeDirectory(part, journal.purpose);
    await check(journal);
    reached(`${journal.purpose}-checked`);
  } catch (error) {
    await takeAllBack(path, journal).catch((second: unknown) => {
      throw failure(
        'failed',
        `the ${journal.purpose} failed (${wording(error)}), and what was there could not be put back: ${wording(second)}`,
        `mend that and run it again; ${shellWord(path)} says where everything is`,
        error,
      );
    });
    throw error;
  }
  await removeJournal(path);
  reached(`${journal.purpose}-closed`);
}

/**
 * Exchanges directories and optionally a database as one, and calls `check`. A journal at `path` tells of it meanwhile:
 * a run that dies leaves it, and `finishExchange` or `revertExchange` complete the one or the other. When anything fails,
 * what was there is in place again, and what was staged lies where it lay; only where that failed too is the journal
 * still there.
 */
export async function exchangeAll(
  path: string,
  exchange: Exchange,
  check: Check,
  about: About,
): Promise<Journal> {
  if (exchange.database !== undefined) await refuseOutOfStep(exchange.database);
  return withLock(dirname(path), 'exchange', async () => {
    const journal = await describe(exchange, about);
    await writeJournal(path, journal);
    await placeAll(path, journal, check);
    return journal;
  });
}

/** Finishes the exchange of a run that died. Returns what it was; undefined where none is open. */
export async function finishExchange(path: string, check: Check): Promise<Journal | undefined> {
  return withLock(dirname(path), 'exchange', async () => {
    const journal = await readJournal(path);
    if (journal !== undefined) await placeAll(path, journal, check);
    return journal;
  });
}

/** Takes the exchange of a run that died back. Returns what it was; undefined where none is open. */
export async function revertExchange(path: string): Promise<Journal | undefined> {
  return withLock(dirname(path), 'exchange', async () => {
    const journal = await readJournal(path);
    if (journal !== undefined) await takeAllBack(path, journal);
    return journal;
  });
}
