import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { makePrivateDirectory } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Reporter } from '../../core/reporter.ts';
import { stampTime } from '../../core/time.ts';
import { DATABASE } from '../../database/cluster.ts';
import { migrate } from '../../database/migrations.ts';
import { checkServerKey, extractConfdir, swapDirectory, type Undo } from './confdir.ts';
import type { SetContents } from './contents.ts';
import { checkRows, dropUnfinished, loadDatabase, loadedName } from './database.ts';
import { dropDatabase, swapDatabase } from './exchange.ts';
import type { RestorePlan } from './plan.ts';
import { withRunningCluster } from './running-cluster.ts';

/** Where the former state is kept, where there was one. */
export interface RestoreResult {
  confdir: string;
  fingerprint: string;
  rows: Record<string, number>;
  keptConfdir: string | undefined;
  keptDatabase: string | undefined;
}

interface Names {
  staged: string;
  loaded: string;
  keptConfdir: string;
  keptDatabase: string;
}

const STAGED = '.restoring-';

function chooseNames(confdir: string): Names {
  const now = new Date();
  const stamp = `${stampTime(now)}-${String(now.getMilliseconds()).padStart(3, '0')}`;
  const digits = stamp.replace(/\D/g, '');
  return {
    staged: `${confdir}${STAGED}${stamp}`,
    loaded: loadedName(digits),
    keptConfdir: `${confdir}.before-${stamp}`,
    keptDatabase: `keytrustee_old_${digits}`,
  };
}

/** Removes what restores that were killed had written beside a configuration directory: there are keys in it. */
async function removeUnfinished(confdir: string): Promise<void> {
  const parent = dirname(confdir);
  for (const name of await readdir(parent)) {
    if (name.startsWith(`${basename(confdir)}${STAGED}`)) await rm(join(parent, name), { recursive: true });
  }
}

/** Goes back, the last step first; one that fails does not keep the others from being tried. */
async function undoAll(undos: Undo[], reason: unknown, names: Names): Promise<never> {
  const failed: unknown[] = [];
  for (const undo of undos.toReversed()) await undo().catch((error: unknown) => failed.push(error));
  if (failed.length === 0) throw reason;
  const [first] = failed.map((error) => (error instanceof Error ? error.message : String(error)));
  throw failure(
    'failed',
    `the restore failed (${reason instanceof Error ? reason.message : String(reason)}), and what was there could not be put back: ${first}`,
    `it is kept as ${names.keptConfdir} and in the database ${names.keptDatabase}; restore again`,
    reason,
  );
}

/** Swaps both halves, and checks what is in place then. Returns whether there was a former database. */
async function swapBoth(plan: RestorePlan, names: Names, contents: SetContents): Promise<boolean> {
  const undos: Undo[] = [];
  try {
    const swap = await swapDatabase(plan.cluster, names.loaded, names.keptDatabase);
    undos.push(swap.undo);
    undos.push(await swapDirectory(names.staged, plan.confdir, names.keptConfdir));
    await checkServerKey(plan.confdir, plan.fingerprint);
    await checkRows(plan.cluster, DATABASE, contents);
    return swap.kept;
  } catch (error) {
    return undoAll(undos, error, names);
  }
}

/** Everything that can fail is done beside what is there; then both halves are swapped. */
async function replace(
  contents: SetContents,
  plan: RestorePlan,
  account: Account,
  reporter: Reporter,
): Promise<Pick<RestoreResult, 'keptConfdir' | 'keptDatabase'>> {
  const names = chooseNames(plan.confdir);
  await removeUnfinished(plan.confdir);
  await dropUnfinished(plan.cluster);
  try {
    await reporter.step('writing the configuration', () => extractConfdir(contents, names.staged));
    await checkServerKey(names.staged, plan.fingerprint);
    await reporter.step('loading the database', () =>
      loadDatabase(plan.cluster, account, names.loaded, contents),
    );
    checkInterruption();
    const hadDatabase = await reporter.step('exchanging old and new', () => swapBoth(plan, names, contents));
    return {
      keptConfdir: plan.replacesConfdir ? names.keptConfdir : undefined,
      keptDatabase: hadDatabase ? names.keptDatabase : undefined,
    };
  } catch (error) {
    await dropDatabase(plan.cluster, names.loaded).catch(() => undefined);
    await rm(names.staged, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Puts a verified set in the place of what is there: the configuration is written beside the old one and its key tried,
 * the database is loaded beside the old one and compared with the manifest; then both are swapped, and checked again.
 * When anything fails, what was there comes back. The former state is kept.
 */
export async function restoreSet(
  contents: SetContents,
  plan: RestorePlan,
  account: Account,
  reporter: Reporter,
): Promise<RestoreResult> {
  const { cluster, confdir, fingerprint, rows } = plan;
  await makePrivateDirectory(dirname(confdir));
  const kept = await withRunningCluster(cluster, account, reporter, () =>
    replace(contents, plan, account, reporter),
  );
  await migrate(cluster).catch((error: unknown) => {
    throw failure(
      'failed',
      'the set was restored, but its database could not be brought up to this version',
      'ktadmin db restart',
      error,
    );
  });
  return { confdir, fingerprint, rows, ...kept };
}
