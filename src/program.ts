import { basename } from 'node:path';
import { listenForSignals } from './lib/core/interrupt.ts';
import { watchOutput } from './lib/terminal/output.ts';
import { versionText } from './lib/terminal/version.ts';
import { commandTree, PROGRAMS } from './registry.ts';

/**
 * Runs the program under the name that it was called by; the exit status is set, never forced. The parser and all that
 * runs a command are loaded here and not at the top, because `--version` is to cost no more than Node itself.
 */
export async function main(): Promise<void> {
  process.umask(0o077);
  watchOutput();
  listenForSignals((status) => process.exit(status));
  const argv = process.argv.slice(2);
  if (argv.includes('--version') && argv.every((word) => word === '--version' || word === '--json')) {
    process.stdout.write(versionText(argv.includes('--json')));
    return;
  }
  const { reportCrash, runProgram } = await import('./lib/terminal/run.ts');
  const end = (status: number) => process.exit(status);
  process.on('uncaughtException', (error) => void reportCrash(error, argv).then(end));
  const name = basename(process.argv[1] ?? '').replace(/\.(?:js|sh)$/, '');
  const known = name in PROGRAMS ? name : 'ktadmin';
  const status = await runProgram({ name: known, words: PROGRAMS[known] ?? [] }, commandTree(), argv);
  if (status !== 0) process.exitCode = status;
}
