import { CommanderError } from 'commander';
import { failure, STATUS } from '../core/errors.ts';
import { assemble, CommandMissing, type Runner, VersionWanted } from './assemble.ts';
import type { CommandNode } from './command.ts';
import { reportError } from './errors.ts';
import { ReaderGone } from './json.ts';
import { createTerminal } from './terminal.ts';
import { usageError } from './usage.ts';
import { versionText } from './version.ts';
import { optionsPart, readWords, type Typed } from './words.ts';

/** One of the names that the program goes by, and the words of `ktadmin` that it stands for. */
export interface ProgramName {
  name: string;
  words: string[];
}

const runner: Runner = async (command, values, globals, args) => {
  const { execute } = await import('./execute.ts');
  const terminal = createTerminal({ ...globals, logForm: command.logForm ?? 'dated' });
  await execute(command, values, { globals, terminal, args });
};

function programNode({ name, words }: ProgramName, tree: CommandNode): CommandNode {
  let node: CommandNode | undefined = tree;
  for (const word of words) node = node?.children.find((child) => child.name === word);
  if (node === undefined)
    throw failure(
      'usage',
      `${name}: this version has no command ${words.join(' ')}`,
      'ktadmin --help lists the commands',
    );
  return { ...node, name };
}

async function parse(typed: Typed, root: CommandNode): Promise<number> {
  try {
    const program = await assemble(root, typed, runner);
    await program.parseAsync(typed.argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof VersionWanted) {
      process.stdout.write(versionText(optionsPart(typed.argv).includes('--json')));
      return 0;
    }
    if (error instanceof CommandMissing && !optionsPart(typed.argv).includes('--json')) {
      process.stderr.write(error.help);
      return 2;
    }
    if (error instanceof CommandMissing)
      throw failure('usage', 'no command was given', `${typed.called} --help lists the commands`);
    throw usageError(error, typed.called);
  }
}

/** Tells of an error that nobody caught, and returns the exit status. */
export async function reportCrash(thrown: unknown, argv: string[]): Promise<number> {
  return reportError(thrown, argv).catch(() => STATUS.bug);
}

/** Runs what was typed and returns the exit status; what went wrong has been told then. */
export async function runProgram(name: ProgramName, tree: CommandNode, argv: string[]): Promise<number> {
  try {
    const root = programNode(name, tree);
    return await parse(readWords(root, argv), root);
  } catch (error) {
    return error instanceof ReaderGone ? 0 : reportError(error, argv);
  }
}
