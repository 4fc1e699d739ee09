import type { Journal } from '../backups/restore/journal.ts';
import { type RestoreResult, resultOf } from '../backups/restore/restore.ts';
import { type Settlement, settleUnfinished } from '../backups/restore/settle.ts';
import type { Account } from '../core/account.ts';
import { exists } from '../core/files.ts';
import { exchangeJournal } from '../core/unfinished.ts';
import { recordServer } from './audit.ts';
import { become } from './execute.ts';
import { chooseRestoreOwner } from './restore-owner.ts';
import type { Terminal } from './terminal.ts';

/** Settles an exchange that was cut off, as the server's account, and says so. Undefined where none is open. */
export async function settle(
  confdir: string,
  how: Settlement,
  account: Account,
  terminal: Terminal,
): Promise<Journal | undefined> {
  const settled = await settleUnfinished(confdir, how, account, terminal);
  if (settled === undefined) return undefined;
  const what = `the ${settled.purpose} of ${confdir} that was cut off`;
  terminal.warn(
    how === 'finish' ? `finished ${what}` : `took back ${what}: what was there before is in place`,
  );
  return settled;
}

/** `restore --finish`: completes what was cut off; where nothing was, that is said, and is well. */
export async function finishRestore(
  confdir: string,
  user: string | undefined,
  terminal: Terminal,
): Promise<RestoreResult | undefined> {
  const account = await chooseRestoreOwner(confdir, user, terminal);
  await become(account, terminal);
  if (await exists(exchangeJournal(confdir)))
    await recordServer({ confdir, account }, 'server.restore', { restored: 'finish' });
  const settled = await settle(confdir, 'finish', account, terminal);
  if (settled === undefined) terminal.notice('nothing was cut off: there is nothing to finish');
  return settled === undefined ? undefined : resultOf(settled, confdir);
}
