import { basename } from 'node:path';
import { CommanderError } from 'commander';
import { failure } from './lib/core/errors.ts';
import { listenForSignals } from './lib/core/interrupt.ts';
import { assemble, type CommandNode, type Runner } from './lib/terminal/assemble.ts';
import { reportError } from './lib/terminal/errors.ts';
import { execute } from './lib/terminal/execute.ts';
import { ReaderGone } from './lib/terminal/json.ts';
import { createTerminal, watchOutput } from './lib/terminal/terminal.ts';
import { versionInfo } from './lib/terminal/version.ts';
import { commandTree, PROGRAMS } from './registry.ts';

/** The flag forms of the original: `ktadmin db --start --pg-rootdir DIR --background` is `ktadmin db start …`. */
function modernize(argv: string[]): string[] {
  const topic = argv.findIndex((word, index) => word === 'db' && argv[index - 1] !== '--confdir');
  const verb = argv.findIndex(
    (word, index) => index > topic && /^--(?:start|stop|restart|status)$/.test(word),
  );
  if (topic === -1 || verb === -1 || argv[topic + 1] === undefined || !argv[topic + 1]?.startsWith('-'))
    return argv;
  const rest = argv.toSpliced(verb, 1);
  return rest.toSpliced(topic + 1, 0, argv[verb]?.slice(2) ?? '');
}

/** `help orgtool add` is `orgtool add --help`. */
function helpLast(argv: string[]): string[] {
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
}

function programNode(name: string): CommandNode {
  const words = PROGRAMS[name] ?? [];
  let node: CommandNode | undefined = commandTree();
  for (const word of words) node = node?.children.find((child) => child.name === word);
  if (node === undefined)
    throw failure('notFound', `this version has no command ${words.join(' ')}`, 'ktadmin --help');
  return { ...node, name };
}

function printVersion(json: boolean): void {
  const info = versionInfo();
  const text = `ktadmin ${info.version} (commit ${info.commit}, node ${info.node}, openssl ${info.openssl})`;
  process.stdout.write(`${json ? JSON.stringify(info) : text}\n`);
}

const runner: Runner = async (command, values, globals, args) => {
  const terminal = createTerminal({ ...globals, logForm: command.logForm ?? 'dated' });
  await execute(command, values, { globals, terminal, args });
};

async function parse(name: string, argv: string[]): Promise<void> {
  const node = programNode(name);
  const program = await assemble(node, argv, runner);
  if (
    node.children.length > 0 &&
    argv.every((word) => word.startsWith('-')) &&
    node.load === undefined &&
    !argv.some((word) => /^(?:-h|--help)$/.test(word))
  ) {
    process.stderr.write(program.helpInformation());
    process.exitCode = 2;
    return;
  }
  await program.parseAsync(argv, { from: 'user' });
}

function fromCommander(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [message, ...suggestions] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = suggestions.join(' ').replace(/^\((.*)\)$/, '$1');
  return failure(
    'usage',
    message ?? 'wrong usage',
    suggestion === '' ? 'add --help to see how it is used' : suggestion,
  );
}

/** Runs the program under the name that it was called by; the exit status is set, never forced. */
export async function main(): Promise<void> {
  process.umask(0o077);
  process.exitCode = 1;
  watchOutput();
  listenForSignals((status) => process.exit(status));
  const name = basename(process.argv[1] ?? 'ktadmin').replace(/\.(?:js|sh)$/, '');
  const argv = helpLast(modernize(process.argv.slice(2)));
  const has = (flag: string) => argv.includes(flag);
  try {
    process.exitCode = 0;
    if (argv[0] === '--version' || (has('--version') && argv.every((word) => word.startsWith('-'))))
      printVersion(has('--json'));
    else await parse(name in PROGRAMS ? name : 'ktadmin', argv);
  } catch (error) {
    if (error instanceof ReaderGone) return;
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
    const typed = argv.slice(0, end);
    const manner = {
      json: typed.includes('--json'),
      verbose: typed.includes('--verbose'),
      color: !typed.includes('--no-color'),
    };
    process.exitCode = await reportError(fromCommander(error), manner);
  }
}
