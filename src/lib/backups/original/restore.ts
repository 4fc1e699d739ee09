import { link, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { exists, makePrivateDirectory, syncDirectory } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Reporter } from '../../core/reporter.ts';
import { reached } from '../../core/steps.ts';
import { exchangeJournal } from '../../core/unfinished.ts';
import { withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { checkServerKey } from '../restore/confdir.ts';
import { dropUnfinished } from '../restore/database.ts';
import { databaseNames, dropDatabase } from '../restore/exchange.ts';
import { exchangeAll } from '../restore/exchange-all.ts';
import type { Journal } from '../restore/journal.ts';
import { chooseNames, type Names, removeUnfinished } from '../restore/names.ts';
import { checkPlaced } from '../restore/placed.ts';
import { type RestoreResult, resultOf } from '../restore/restore.ts';
import { withRunningCluster } from '../restore/running-cluster.ts';
import { writeConfdir, writeDump } from './confdir.ts';
import {
  loadForeign,
  loadOwn,
  makeEmpty,
  nameSideDatabase,
  refuseSideDatabase,
  SIDE_DATABASE,
} from './database.ts';
import type { UnsignedPlan } from './plan.ts';
import type { UnsignedSet } from './set.ts';

/** What a restore of an unsigned set did, and where its dump is when the server does not use it. */
export interface UnsignedResult extends RestoreResult {
  original?: { dump: string; cleans: boolean } | { database: string; rows: Record<string, number> };
}

/** Everything of a restore of an unsigned set. */
interface Work {
  set: UnsignedSet;
  plan: UnsignedPlan;
  account: Account;
  reporter: Reporter;
}

/** The names that are used besides those of every restore; both begin like them, so that the next run sweeps them. */
const sideName = ({ loaded }: Names) => `${loaded}1`;
const stagedDump = ({ staged }: Names) => `${staged}.sql`;

async function stage({ set, plan, account, reporter }: Work, names: Names): Promise<void> {
  const { cluster, dump } = plan;
  await reporter.step('writing the configuration', () => writeConfdir(set, plan.configuration, names.staged));
  await checkServerKey(names.staged, plan.fingerprint);
  reached('unsigned-written');
  await reporter.step('loading the database', async () => {
    if (dump === 'own') return loadOwn(cluster, account, names.loaded, set);
    await makeEmpty(cluster, names.loaded);
    if (dump === 'beside') await loadForeign(cluster, account, sideName(names), set);
    else await writeDump(set, stagedDump(names));
  });
}

async function exchange({ plan }: Work, names: Names): Promise<Journal> {
  const { confdir, cluster, fingerprint } = plan;
  const rows = await withDatabase(cluster, countRows, names.loaded);
  const parts = {
    directories: [{ staged: names.staged, place: confdir, kept: names.keptConfdir }],
    database: { cluster, loaded: names.loaded, kept: names.keptDatabase },
  };
  const about = { purpose: 'restore', expected: { fingerprint, rows } };
  return exchangeAll(exchangeJournal(confdir), parts, checkPlaced, about);
}

const wording = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Names the dump that was kept beside the server. A link, unlike a rename, never replaces a file. */
async function publishDump({ cluster, dump }: UnsignedPlan, names: Names): Promise<void> {
  try {
    if (dump === 'beside') await nameSideDatabase(cluster, sideName(names));
    if (typeof dump === 'string') return;
    await link(stagedDump(names), dump.path);
    await rm(stagedDump(names));
    await syncDirectory(dirname(dump.path));
  } catch (error) {
    const hint = 'mend that, and restore the set again';
    throw failure(
      'failed',
      `the set was restored, but its dump could not be put in its place: ${wording(error)}`,
      hint,
      error,
    );
  }
}

async function replace(work: Work): Promise<{ journal: Journal; names: Names }> {
  const { confdir, cluster } = work.plan;
  const path = exchangeJournal(confdir);
  if (await exists(path)) throw failure('locked', 'another restore began meanwhile', 'run it again');
  await removeUnfinished(confdir);
  await dropUnfinished(cluster);
  if (work.plan.dump === 'beside') await refuseSideDatabase(cluster);
  const names = await chooseNames(confdir, await databaseNames(cluster));
  try {
    await stage(work, names);
    checkInterruption();
    const journal = await work.reporter.step('exchanging old and new', () => exchange(work, names));
    return { journal, names };
  } catch (error) {
    // An exchange that is still open needs what was staged.
    if (await exists(path)) throw error;
    await dropDatabase(cluster, names.loaded).catch(() => undefined);
    await dropDatabase(cluster, sideName(names)).catch(() => undefined);
    await removeUnfinished(confdir);
    throw error;
  }
}

function originalOf({ cleans }: UnsignedSet, { dump, rows }: UnsignedPlan): Pick<UnsignedResult, 'original'> {
  if (dump === 'own') return {};
  return { original: dump === 'beside' ? { database: SIDE_DATABASE, rows } : { dump: dump.path, cleans } };
}

/**
 * Puts an unsigned set in the place of what is there, as a signed one is: everything beside what is there, then all of it
 * exchanged. The dump of other tables is not the server's database, which is empty then; it is kept, as a file or loaded.
 */
export async function restoreUnsigned(
  set: UnsignedSet,
  plan: UnsignedPlan,
  account: Account,
  reporter: Reporter,
): Promise<UnsignedResult> {
  const { cluster, confdir } = plan;
  await makePrivateDirectory(dirname(confdir));
  const { journal, names } = await withRunningCluster(
    cluster,
    account,
    reporter,
    () => replace({ set, plan, account, reporter }),
    () => exists(exchangeJournal(confdir)),
  );
  reached('unsigned-exchanged');
  await publishDump(plan, names);
  return { ...resultOf(journal, confdir), ...originalOf(set, plan) };
}
