import { writeScreen } from './lib/terminal/screen.ts';
import { versionText } from './lib/terminal/version-text.ts';
import { commandTree, PROGRAMS } from './registry.ts';

/**
 * Runs the program under the name that it was called by; the exit status is set, never forced. The parser and all that
 * runs a command are loaded here and not at the top, and share no module with this one, because `--version` and `--help`
 * are to cost little more than Node itself.
 */
export async function main(): Promise<void> {
  process.umask(0o077);
  const argv = process.argv.slice(2);
  const onlyVersion = argv.includes('--version') && argv.every((word) => /^--(?:version|json)$/.test(word));
  const name = (process.argv[1] ?? '').replace(/^.*\/|\.(?:js|sh)$/g, '');
  const known = Object.hasOwn(PROGRAMS, name) ? name : 'ktadmin';
  const status = onlyVersion ? 'version' : await start({ name: known, words: PROGRAMS[known] ?? [] }, argv);
  if (status === 'version') writeScreen(versionText(argv.includes('--json')));
  else if (typeof status === 'object') writeScreen(status.screen);
  else if (status !== 0) process.exitCode = status;
}

async function start(program: { name: string; words: string[] }, argv: string[]) {
  const { runProgram } = await import('./lib/terminal/run.ts');
  return runProgram(program, commandTree(), argv, (status) => process.exit(status));
}
