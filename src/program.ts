import { screenWidth, writeScreen } from './lib/terminal/screen.ts';
import { versionText } from './lib/terminal/version-text.ts';
import { PROGRAMS, programNode } from './registry.ts';

/**
 * Runs the program under the name that it was called by; the exit status is set, never forced. All that parses and runs a
 * command is loaded here and not at the top, and shares no module with this one, because `--version` and `--help` are to
 * cost little more than Node itself.
 */
export async function main(): Promise<void> {
  process.umask(0o077);
  const argv = process.argv.slice(2);
  const name = (process.argv[1] ?? '').replace(/^.*\/|\.(?:js|sh)$/g, '');
  const status = await start(Object.hasOwn(PROGRAMS, name) ? name : 'ktadmin', argv);
  if (status === 'version') writeScreen(versionText(argv.includes('--json')));
  else if (typeof status === 'object') writeScreen(status.screen);
  else if (status !== 0) process.exitCode = status;
}

async function start(name: string, argv: string[]) {
  if (argv.includes('--version') && argv.every((word) => /^--(?:version|json)$/.test(word))) return 'version';
  const root = programNode(name);
  if (root !== undefined && /^(?:-h|--help)$/.test(argv.at(-1) ?? '')) {
    const { topicHelp } = await import('./lib/terminal/topic.ts');
    const screen = topicHelp(root, argv, screenWidth());
    if (screen !== undefined) return { screen };
  }
  const { runProgram } = await import('./lib/terminal/run.ts');
  return runProgram({ name, words: PROGRAMS[name] ?? [], root }, argv, (status) => process.exit(status));
}
