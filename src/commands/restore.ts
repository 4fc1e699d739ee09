import type { UnsignedResult } from '../lib/backups/original/restore.ts';
import { bareCommand } from '../lib/terminal/command.ts';
import { describeOnlyResult } from '../lib/terminal/only.ts';
import { describeDryRun, describeResult, VERDICT } from '../lib/terminal/restore.ts';
import { describeClientResult } from '../lib/terminal/restore-directories.ts';
import { restoreOptions } from '../lib/terminal/restore-options.ts';
import { runRestore, unconfirmed } from '../lib/terminal/restore-run.ts';
import { describeUndone } from '../lib/terminal/restore-undo.ts';
import { describeOriginal } from '../lib/terminal/restore-unsigned.ts';

type Result = NonNullable<Awaited<ReturnType<typeof runRestore>>>;

function describe(result: Result): string {
  if ('directories' in result) return describeClientResult(result);
  if ('undone' in result) return describeUndone(result);
  if ('steps' in result) return describeDryRun(result);
  if ('disabled' in result) return describeOnlyResult(result);
  const original = describeOriginal(result as UnsignedResult);
  // Of a dump that the server does not use, no row was looked for.
  return `${describeResult(result)}${original}${original === '' ? VERDICT : ''}`;
}

/** `restore`: puts a backup set back, all of it or nothing. */
export default bareCommand({
  words: '[file]',
  options: restoreOptions,
  examples: [
    'ktadmin restore kts_bak_kts01_example_com_2026-02-10_11-14-37.tar.gpg --dry-run',
    'ktadmin restore kts_bak_kts01_example_com_2026-02-10_11-14-37.tar.gpg',
    'ktadmin restore kts_bak_kts01_example_com_2026-02-10_11-14-37.tar.gpg --only organization=prod',
    'ktadmin restore --undo',
  ],
  run: runRestore,
  async print(result, terminal) {
    if (result === undefined) return;
    await terminal.write(describe(result));
    if ('confirmed' in result) throw unconfirmed();
  },
});
