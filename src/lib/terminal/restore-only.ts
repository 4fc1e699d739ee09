import { checkOnlyOrigin, type OnlyResult, restoreOnly } from '../backups/only/only.ts';
import { changesNothing, type OnlyPlan } from '../backups/only/plan.ts';
import type { SetContents } from '../backups/restore/contents.ts';
import type { Account } from '../core/account.ts';
import { readConfiguration } from '../core/configuration.ts';
import { NO_RESTORE, privateCluster } from '../database/source.ts';
import { recordServer } from './audit.ts';
import { describeOnlyPlan, type parseOnly, selectionOf } from './only.ts';
import { confirm } from './prompts.ts';
import type { Terminal } from './terminal.ts';

/** What was typed beside the file. */
export interface OnlyValues {
  only: ReturnType<typeof parseOnly>[];
  yes: boolean;
  force: boolean;
  dryRun: boolean;
}

/** Brings parts of a set into the server that is there: shows what it will do, asks, and does it. */
export async function restoreParts(
  contents: SetContents,
  values: OnlyValues,
  { confdir, account, terminal }: { confdir: string; account: Account; terminal: Terminal },
): Promise<OnlyResult> {
  const configuration = await readConfiguration(confdir);
  const cluster = privateCluster(configuration, NO_RESTORE);
  checkOnlyOrigin(contents, configuration.LOCAL_FINGERPRINT, values.force);
  const agree = async (plan: OnlyPlan) => {
    terminal.notice(describeOnlyPlan(plan, contents));
    if (values.dryRun || changesNothing(plan)) return true;
    if (!values.yes && !(await confirm(terminal, 'Add what is missing?', '--yes'))) return false;
    const what = { restored: 'parts', fingerprint: contents.manifest.fingerprint };
    await recordServer({ confdir, account }, 'server.restore', what);
    return true;
  };
  const request = {
    selection: selectionOf(values.only),
    cluster,
    account,
    dryRun: values.dryRun,
    agree,
  };
  return restoreOnly(contents, request, terminal);
}
