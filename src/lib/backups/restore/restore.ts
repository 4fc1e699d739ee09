import { dirname } from 'node:path';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { exists, makePrivateDirectory } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Reporter } from '../../core/reporter.ts';
import { reached } from '../../core/steps.ts';
import { exchangeJournal } from '../../core/unfinished.ts';
import { carrySequence } from '../sequence.ts';
import { bringUpLoaded } from './bring-up.ts';
import { checkServerKey, extractConfdir } from './confdir.ts';
import type { SetContents } from './contents.ts';
import { dropUnfinished, loadDatabase } from './database.ts';
import { compareDatabases, type Difference } from './difference.ts';
import { databaseNames, dropDatabase } from './exchange.ts';
import { exchangeAll } from './exchange-all.ts';
import type { Journal } from './journal.ts';
import { chooseNames, type Names, removeUnfinished } from './names.ts';
import { checkPlaced } from './placed.ts';
import type { RestorePlan } from './plan.ts';
import { applyChanges } from './relocate.ts';
import { withRunningCluster } from './running-cluster.ts';

/** What is in place now, and where the former state is kept, where there was one. */
export interface RestoreResult {
  confdir: string;
  fingerprint: string;
  rows: Record<string, number>;
  keptConfdir: string | undefined;
  keptDatabase: string | undefined;
}

/** What the exchange of a restore did, also where another run had begun it. */
export function resultOf(journal: Journal, fallback: string): RestoreResult {
  const [directory] = journal.directories;
  return {
    confdir: directory?.place ?? fallback,
    fingerprint: journal.expected?.fingerprint ?? '',
    rows: journal.expected?.rows ?? {},
    keptConfdir: directory?.former === true ? directory.kept : undefined,
    keptDatabase: journal.database?.former === true ? journal.database.kept : undefined,
  };
}

async function stage(
  contents: SetContents,
  plan: RestorePlan,
  names: Names,
  account: Account,
  reporter: Reporter,
): Promise<void> {
  await reporter.step('writing the configuration', () => extractConfdir(contents, names.staged));
  await applyChanges(names.staged, plan.changes);
  await carrySequence(names.staged, plan.confdir, contents.manifest.sequence);
  reached('restore-extracted');
  await checkServerKey(names.staged, plan.fingerprint);
  reached('restore-staged');
  await reporter.step('loading the database', () =>
    loadDatabase(plan.cluster, account, names.loaded, contents),
  );
  reached('restore-loaded');
  await bringUpLoaded(plan.cluster, names.loaded);
  reached('restore-migrated');
}

async function exchangeBoth(contents: SetContents, plan: RestorePlan, names: Names): Promise<Journal> {
  const { confdir, cluster, fingerprint, rows } = plan;
  const { sequence, created } = contents.manifest;
  const exchange = {
    directories: [{ staged: names.staged, place: confdir, kept: names.keptConfdir }],
    database: { cluster, loaded: names.loaded, kept: names.keptDatabase },
  };
  return exchangeAll(exchangeJournal(confdir), exchange, checkPlaced, {
    purpose: 'restore',
    expected: { fingerprint, rows },
    set: { fingerprint, sequence, created },
  });
}

/** Told what going back loses or revives, once that can be known; fails when it is not wanted. */
export type Consent = (difference: Difference | undefined) => Promise<void>;

/** Everything that can fail is done beside what is there; then both halves are exchanged. */
async function replace(
  contents: SetContents,
  plan: RestorePlan,
  account: Account,
  reporter: Reporter,
  consent: Consent,
): Promise<Journal> {
  reached('restore-running');
  const journal = exchangeJournal(plan.confdir);
  if (await exists(journal)) throw failure('locked', 'another restore began meanwhile', 'run it again');
  await removeUnfinished(plan.confdir);
  await dropUnfinished(plan.cluster);
  const names = await chooseNames(plan.confdir, await databaseNames(plan.cluster));
  try {
    await stage(contents, plan, names, account, reporter);
    await consent(await compareDatabases(plan.cluster, names.loaded));
    reached('restore-compared');
    checkInterruption();
    return await reporter.step('exchanging old and new', () => exchangeBoth(contents, plan, names));
  } catch (error) {
    // An exchange that is still open needs what was staged.
    if (await exists(journal)) throw error;
    await dropDatabase(plan.cluster, names.loaded).catch(() => undefined);
    await removeUnfinished(plan.confdir);
    throw error;
  }
}

/**
 * Puts a verified set in the place of what is there: the configuration is written beside the old one and its key tried,
 * the database is loaded beside the old one, compared with the manifest and brought up to this version; then both are
 * exchanged, and checked again.
 * When anything fails, what was there comes back. The former state is kept.
 */
export async function restoreSet(
  contents: SetContents,
  plan: RestorePlan,
  account: Account,
  reporter: Reporter,
  consent: Consent,
): Promise<RestoreResult> {
  const { cluster, confdir } = plan;
  await makePrivateDirectory(dirname(confdir));
  const journal = await withRunningCluster(
    cluster,
    account,
    reporter,
    () => replace(contents, plan, account, reporter, consent),
    () => exists(exchangeJournal(confdir)),
  );
  return resultOf(journal, confdir);
}
