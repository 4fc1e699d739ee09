import { bringUpPlaced } from '../backups/restore/bring-up.ts';
import type { SetContents } from '../backups/restore/contents.ts';
import { isQuiet } from '../backups/restore/difference.ts';
import { type DryRun, describeSteps } from '../backups/restore/dry-run.ts';
import { planRestore, type RestoreWishes } from '../backups/restore/plan.ts';
import { type Consent, type RestoreResult, restoreSet, resultOf } from '../backups/restore/restore.ts';
import { isOfSet } from '../backups/restore/settle.ts';
import type { Account } from '../core/account.ts';
import { failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { reached } from '../core/steps.ts';
import { exchangeJournal } from '../core/unfinished.ts';
import { recordedRestore } from './audit.ts';
import { describeDifference } from './difference.ts';
import { confirm } from './prompts.ts';
import { describePlan, warnings } from './restore.ts';
import { settle } from './restore-settle.ts';
import type { Terminal } from './terminal.ts';

/** What was typed for a restore of a whole set. */
export interface WholeWishes extends RestoreWishes {
  yes: boolean;
  fingerprint?: string | undefined;
}

/** Says what the state of things is after a restore that failed: an error alone leaves that open (hazard PG-22). */
async function withVerdict<T>(confdir: string, terminal: Terminal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isOpen = await exists(exchangeJournal(confdir)).catch(() => false);
    terminal.notice(
      isOpen
        ? 'The restore is not complete: old and new are half exchanged'
        : 'Nothing was restored: what was there is in place',
    );
    throw error;
  }
}

/** Tells what is lost and revived, and asks once more where that is more than numbers. */
function consentOf(yes: boolean, terminal: Terminal): Consent {
  return async (difference) => {
    if (difference === undefined || isQuiet(difference)) return;
    terminal.notice(describeDifference(difference));
    if (!yes && !(await confirm(terminal, 'Go on, and lose and revive that?', '--yes')))
      throw failure('failed', 'nothing was changed');
  };
}

/** Shows the steps of a restore and changes nothing. */
export async function dryRun(
  contents: SetContents,
  wishes: WholeWishes,
  confdir: string,
  terminal: Terminal,
): Promise<DryRun> {
  const plan = await planRestore(contents, confdir, wishes);
  terminal.notice(describePlan(plan));
  for (const text of warnings(plan)) terminal.warn(text);
  return describeSteps(plan);
}

const strangers = (fingerprint: string) =>
  `nothing on this host says whose set it is: compare ${fingerprint} with what you wrote down, or give --fingerprint`;

/** Puts a verified set back: shows the plan, asks, restores. What an earlier run had begun is finished first. */
export async function restoreWhole(
  contents: SetContents,
  wishes: WholeWishes,
  confdir: string,
  account: Account,
  terminal: Terminal,
): Promise<RestoreResult> {
  reached('restore-verified');
  const settled = await settle(confdir, 'finish', account, terminal);
  if (settled !== undefined && isOfSet(settled, contents.manifest)) return resultOf(settled, confdir);
  const plan = await planRestore(contents, confdir, wishes);
  terminal.notice(describePlan(plan));
  for (const text of warnings(plan)) terminal.warn(text);
  if (!plan.isKnown && wishes.fingerprint === undefined) terminal.warn(strangers(plan.fingerprint));
  if (!wishes.yes && !(await confirm(terminal, 'Replace what is there?', '--yes')))
    throw failure('failed', 'nothing was changed');
  const what = { restored: 'whole', fingerprint: plan.fingerprint, made: plan.created };
  const restored = await withVerdict(confdir, terminal, () =>
    recordedRestore({ confdir, account }, what, () =>
      restoreSet(contents, plan, account, terminal, consentOf(wishes.yes, terminal)),
    ),
  );
  await bringUpPlaced(plan.cluster, 'the set was restored');
  return restored;
}
