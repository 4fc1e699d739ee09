import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { makePrivateDirectory } from '../../core/files.ts';
import { interruption } from '../../core/interrupt.ts';
import type { Reporter } from '../../core/reporter.ts';
import { stampTime } from '../../core/time.ts';
import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { createCluster } from '../../database/cluster-create.ts';
import { migrate } from '../../database/migrations.ts';
import { startServer } from '../../database/server.ts';
import { checkServerKey, extractConfdir, swapDirectory, type Undo } from './confdir.ts';
import type { SetContents } from './contents.ts';
import { checkRows, dropDatabase, loadDatabase, swapDatabase } from './database.ts';
import type { RestorePlan } from './plan.ts';

/** Where the former state is kept, where there was one. */
export interface RestoreResult {
  confdir: string;
  fingerprint: string;
  rows: Record<string, number>;
  keptConfdir: string | undefined;
  keptDatabase: string | undefined;
}

async function swapBoth(plan: RestorePlan, names: Names, contents: SetContents): Promise<void> {
  const undone: Undo[] = [];
  try {
    undone.push(await swapDatabase(plan.cluster, names.loaded, names.keptDatabase));
    undone.push(await swapDirectory(names.staged, plan.confdir, names.keptConfdir));
    await checkServerKey(plan.confdir, plan.fingerprint);
    await checkRows(plan.cluster, DATABASE, contents);
  } catch (error) {
    for (const undo of undone.toReversed()) await undo();
    throw error;
  }
}

interface Names {
  staged: string;
  loaded: string;
  keptConfdir: string;
  keptDatabase: string;
}

function chooseNames(confdir: string): Names {
  const stamp = stampTime(new Date());
  const suffix = stamp.replace(/\D/g, '');
  return {
    staged: `${confdir}.restoring-${stamp}`,
    loaded: `keytrustee_new_${suffix}`,
    keptConfdir: `${confdir}.before-${stamp}`,
    keptDatabase: `keytrustee_old_${suffix}`,
  };
}

async function prepareCluster(cluster: Cluster, account: Account): Promise<void> {
  await makePrivateDirectory(cluster.root);
  await createCluster(cluster, account);
  await startServer(cluster, account);
}

/**
 * Puts a verified set in the place of what is there: the database is loaded beside the old one and compared with the
 * manifest, the configuration is written beside the old one and its key tried; then both are swapped, and checked again.
 * When anything fails, what was there comes back. The former state is kept.
 */
export async function restoreSet(
  contents: SetContents,
  plan: RestorePlan,
  account: Account,
  reporter: Reporter,
): Promise<RestoreResult> {
  const names = chooseNames(plan.confdir);
  await makePrivateDirectory(dirname(plan.confdir));
  try {
    await reporter.step('writing the configuration', () => extractConfdir(contents, names.staged));
    await checkServerKey(names.staged, plan.fingerprint);
    const text = plan.makesCluster ? 'making and starting the database' : 'starting the database';
    await reporter.step(text, () => prepareCluster(plan.cluster, account));
    await reporter.step('loading the database', () =>
      loadDatabase(plan.cluster, account, names.loaded, contents),
    );
    if (interruption.aborted) throw interruption.reason;
    await reporter
      .step('exchanging old and new', () => swapBoth(plan, names, contents))
      .catch(async (error: unknown) => {
        await dropDatabase(plan.cluster, names.loaded).catch(() => undefined);
        throw error;
      });
  } catch (error) {
    await rm(names.staged, { recursive: true, force: true });
    throw error;
  }
  await migrate(plan.cluster).catch((error: unknown) => {
    throw failure(
      'failed',
      'the set was restored, but its database could not be brought up to this version',
      'ktadmin db restart',
      error,
    );
  });
  const hadDatabase = !plan.makesCluster;
  return {
    confdir: plan.confdir,
    fingerprint: plan.fingerprint,
    rows: plan.rows,
    keptConfdir: plan.replacesConfdir ? names.keptConfdir : undefined,
    keptDatabase: hadDatabase ? names.keptDatabase : undefined,
  };
}
