import { failure, STATUS } from '../core/errors.ts';
import { Continued } from '../core/handover.ts';
import { listenForSignals } from '../core/interrupt.ts';
import { assemble, CommandMissing, HelpWanted, type Runner, VersionWanted } from './assemble.ts';
import type { CommandNode } from './command.ts';
import { reportError } from './errors.ts';
import { ReaderGone } from './json.ts';
import { watchOutput } from './output.ts';
import { createTerminal } from './terminal.ts';
import { usageError } from './usage.ts';
import { optionsPart, readWords, type Typed } from './words.ts';

/** One of the names that the program goes by, and the words of `ktadmin` that it stands for. */
export interface Program {
  name: string;
  words: string[];
  /** The part of the command tree that they name, where this version has it. */
  root: CommandNode | undefined;
}

const runner: Runner = async (command, values, globals, args) => {
  const { execute } = await import('./execute.ts');
  const terminal = createTerminal({ ...globals, logForm: command.logForm ?? 'dated' });
  await execute(command, values, { globals, terminal, args });
};

function rootOf({ name, words, root }: Program): CommandNode {
  if (root !== undefined) return root;
  const message = `${name}: this version has no command ${words.join(' ')}`;
  throw failure('usage', message, 'ktadmin --help lists the commands');
}

async function parse(typed: Typed, root: CommandNode): Promise<ProgramStatus> {
  try {
    const program = await assemble(root, typed, runner);
    await program.parseAsync(typed.argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof HelpWanted) return { screen: error.screen };
    if (error instanceof VersionWanted) return 'version';
    if (error instanceof CommandMissing && !optionsPart(typed.argv).includes('--json')) {
      watchOutput();
      process.stderr.write(error.help);
      return STATUS.usage;
    }
    if (error instanceof CommandMissing)
      throw failure('usage', 'no command was given', `${typed.called} --help lists the commands`);
    throw usageError(error, typed.called);
  }
}

/** The exit status; or what the caller is to print before it ends well: the version, or a help screen. */
type ProgramStatus = number | 'version' | { screen: string };

/**
 * Runs what was typed and returns the exit status; what went wrong has been told then. `end` ends the process at once: at
 * a second signal, and after an error that nobody caught.
 */
export async function runProgram(
  program: Program,
  argv: string[],
  end: (status: number) => void,
): Promise<ProgramStatus> {
  listenForSignals(end);
  // Node 20 warns that the web's cryptography is experimental as soon as a modern key is used; that is no news to a person.
  process.removeAllListeners('warning');
  process.on('uncaughtException', (error) => {
    void reportError(error, argv).then(end, () => end(STATUS.bug));
  });
  try {
    const root = rootOf(program);
    return await parse(readWords(root, argv), root);
  } catch (error) {
    if (error instanceof Continued) return error.status;
    return error instanceof ReaderGone ? 0 : reportError(error, argv);
  }
}
