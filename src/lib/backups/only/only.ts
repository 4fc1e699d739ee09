import type { Account } from '../../core/account.ts';
import { errorCode, failure } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Reporter } from '../../core/reporter.ts';
import { reached } from '../../core/steps.ts';
import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { type Database, withDatabase } from '../../database/connection.ts';
import { withWriting } from '../../database/gate.ts';
import { migrateLoaded, requireCurrent } from '../../database/migrations.ts';
import type { SetContents } from '../restore/contents.ts';
import { dropUnfinished, loadDatabase, loadedName } from '../restore/database.ts';
import { dropDatabase } from '../restore/exchange.ts';
import { withRestoreLock } from '../restore/running-cluster.ts';
import { checkConflicts } from './conflicts.ts';
import { checkCopied, copyMissing } from './copy.ts';
import { changesNothing, type OnlyPlan, planOnly, preparePlan } from './plan.ts';
import { checkSelection, type Selection } from './selection.ts';
import { stageWanted } from './wanted.ts';

/** What is to come out of a set, and into which server. */
export interface OnlyRequest {
  selection: Selection;
  cluster: Cluster;
  account: Account;
  dryRun: boolean;
  /** Shown the plan, says whether to go on. */
  agree: (plan: OnlyPlan) => Promise<boolean>;
}

/** What a partial restore did or, as a trial, would do. */
export type OnlyResult = OnlyPlan & { dryRun: boolean };

/**
 * What is brought back is acknowledged, and waits for the passive server of a pair. Temporary tables do not: they change the
 * catalogue, also where PostgreSQL removes them when the connection has ended, and that would wait for ever.
 */
const BEGIN = 'begin isolation level repeatable read; set local synchronous_commit = remote_apply';

/** SQLSTATE of what happens when somebody else changes the same rows meanwhile. */
const MEANWHILE = new Set(['23505', '23503', '40001', '40P01']);

const changedMeanwhile = (cause?: unknown) =>
  failure(
    'conflict',
    'nothing was changed: the database was changed by others meanwhile',
    'run the command again',
    cause,
  );

/** Refuses another server's set, whose organizations and clients are not this one's. */
export function checkOnlyOrigin(contents: SetContents, fingerprint: string, force: boolean): void {
  if (contents.manifest.fingerprint === fingerprint || force) return;
  throw failure(
    'untrusted',
    `the set belongs to another server: ${contents.manifest.fingerprint}, and this one is ${fingerprint}`,
    'to take from it nevertheless, add --force',
  );
}

/** All of it in one transaction, which sees one state of the database: the one for which consent was given. */
async function apply(loaded: Database, live: Database, agreed: OnlyPlan): Promise<void> {
  const work = async () => {
    if (JSON.stringify(await planOnly(live)) !== JSON.stringify(agreed)) throw changedMeanwhile();
    await checkConflicts(live);
    await copyMissing(loaded, live);
    reached('only-copied');
    await checkCopied(live);
    checkInterruption();
    reached('only-checked');
  };
  try {
    await withWriting(live, work, { begin: BEGIN });
  } catch (error) {
    throw MEANWHILE.has(errorCode(error) ?? '') ? changedMeanwhile(error) : error;
  }
  reached('only-committed');
}

async function bringBack(
  loaded: Database,
  live: Database,
  { selection, dryRun, agree }: OnlyRequest,
  reporter: Reporter,
): Promise<OnlyResult> {
  await requireCurrent(live);
  await checkSelection(loaded, selection);
  const plan = await reporter.step('comparing', async () => {
    await stageWanted(loaded, live, selection);
    await preparePlan(live);
    await checkConflicts(live);
    return planOnly(live);
  });
  if (!(await agree(plan))) throw failure('failed', 'nothing was changed');
  if (!dryRun && !changesNothing(plan)) await reporter.step('copying', () => apply(loaded, live, plan));
  return { dryRun, ...plan };
}

/**
 * Brings single organizations or deposits out of a verified set into the running server and changes nothing else. The set
 * is loaded into a database of its own, which is dropped in any case; one that a killed run left goes at the next.
 */
export async function restoreOnly(
  contents: SetContents,
  request: OnlyRequest,
  reporter: Reporter,
): Promise<OnlyResult> {
  const { cluster, account } = request;
  const name = loadedName(new Date().toISOString().replace(/\D/g, ''));
  return withRestoreLock(cluster, async () => {
    await dropUnfinished(cluster);
    try {
      await reporter.step('loading the set', async () => {
        await loadDatabase(cluster, account, name, contents);
        await migrateLoaded(cluster, name);
      });
      reached('only-loaded');
      const work = (loaded: Database) =>
        withDatabase(cluster, (live) => bringBack(loaded, live, request, reporter), DATABASE, {
          isLocal: true,
        });
      return await withDatabase(cluster, work, name);
    } finally {
      await dropDatabase(cluster, name).catch(() => undefined);
    }
  });
}
