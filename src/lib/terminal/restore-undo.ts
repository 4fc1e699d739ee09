import type { Journal } from '../backups/restore/journal.ts';
import { readJournal } from '../backups/restore/journal.ts';
import { checkParent } from '../backups/restore/plan.ts';
import { type UndoPlan, undoRestore } from '../backups/restore/undo.ts';
import { failure } from '../core/errors.ts';
import { exchangeJournal } from '../core/unfinished.ts';
import { recordServer } from './audit.ts';
import { countedRows, describeDifference } from './difference.ts';
import { become } from './execute.ts';
import { confirm } from './prompts.ts';
import { chooseRestoreOwner } from './restore-owner.ts';
import { settle } from './restore-settle.ts';
import type { Terminal } from './terminal.ts';

/** What an undo did: which parts came back, and where what they replaced is kept. */
export interface UndoResult {
  undone: 'restore' | 'unfinished restore';
  confdir: string;
  broughtBack: { confdir: string | undefined; database: string | undefined };
  keptConfdir: string | undefined;
  keptDatabase: string | undefined;
  rows: Record<string, number> | undefined;
}

function resultOf(confdir: string, { directories, database, expected }: Journal): UndoResult {
  const [directory] = directories;
  return {
    undone: 'restore',
    confdir,
    broughtBack: { confdir: directory?.staged, database: database?.loaded },
    keptConfdir: directory?.former === true ? directory.kept : undefined,
    keptDatabase: database?.former === true ? database.kept : undefined,
    rows: expected?.rows,
  };
}

const NOTHING = { confdir: undefined, database: undefined };

function describeUndo({ confdir, former, difference, rows, fingerprint }: UndoPlan): string {
  const holds = rows === undefined ? '' : ` (${countedRows(rows)})`;
  const stays = (what: string) => `stays as it is: there was no ${what} before, or it is gone`;
  const server = fingerprint ?? 'its keytrustee.conf cannot be read';
  return [
    `undo of the last restore of ${confdir}`,
    `  configuration  ${former.confdir === undefined ? stays('configuration') : `${former.confdir} comes back (${server})`}`,
    `  database       ${former.database === undefined ? stays('database') : `${former.database}${holds} comes back`}`,
    '  what is there now is kept under other names',
    ...(difference === undefined ? [] : [describeDifference(difference)]),
  ].join('\n');
}

/** `restore --undo`: brings back what was there before the last restore; one that was cut off is taken back. */
export async function undo(
  confdir: string,
  { yes, user }: { yes: boolean; user: string | undefined },
  terminal: Terminal,
): Promise<UndoResult> {
  const account = await chooseRestoreOwner(confdir, user, terminal);
  await become(account, terminal);
  await checkParent(confdir);
  const agree = async (question: string) => {
    if (!yes && !(await confirm(terminal, question, '--yes'))) throw failure('failed', 'nothing was changed');
    await recordServer({ confdir, account }, 'server.restore', { restored: 'undo' });
  };
  const open = await readJournal(exchangeJournal(confdir));
  if (open === undefined)
    return resultOf(
      confdir,
      await undoRestore(confdir, account, terminal, async (plan) => {
        terminal.notice(describeUndo(plan));
        await agree('Bring that back?');
      }),
    );
  if (open.purpose === 'undo') {
    await agree('An undo was cut off. Finish it?');
    return resultOf(confdir, (await settle(confdir, 'finish', account, terminal)) ?? open);
  }
  await agree('A restore was cut off. Bring back what was there before it?');
  await settle(confdir, 'revert', account, terminal);
  const kept = { keptConfdir: undefined, keptDatabase: undefined, rows: undefined };
  return { undone: 'unfinished restore', confdir, broughtBack: NOTHING, ...kept };
}

/** What an undo did, in words; the last line is its verdict. */
export function describeUndone({ undone, confdir, keptConfdir, keptDatabase, rows }: UndoResult): string {
  if (undone === 'unfinished restore')
    return `Took back the restore of ${confdir} that was cut off: what was there before is in place\n`;
  const lines = [];
  if (keptConfdir !== undefined) lines.push(`What was in place is in ${keptConfdir}`);
  if (keptDatabase !== undefined) lines.push(`The database that was in place is ${keptDatabase}`);
  const holds = rows === undefined ? '' : `: ${countedRows(rows)}`;
  return `${[...lines, `Brought back ${confdir} as it was before the last restore${holds}`].join('\n')}\n`;
}
