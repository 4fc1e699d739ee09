import type { CommandNode } from './command.ts';

const GLOBAL_FLAG = /^(?:--json|-q+|--quiet|--verbose|--no-input|--no-color|--confdir=.*)$/;
const HELP = /^(?:-h|--help)$/;

/**
 * The words that name the command, as places in `argv`: they come first, and only options of every command stand before
 * or between them.
 */
function wordPlaces(argv: string[]): number[] {
  const places: number[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--confdir' || word === '-c') index += 1;
    else if (!word.startsWith('-') || word === '-') places.push(index);
    else if (word !== '--' && !GLOBAL_FLAG.test(word) && !HELP.test(word)) break;
  }
  return places;
}

const wordsOf = (argv: string[]) => wordPlaces(argv).map((index) => argv[index] ?? '');

/** What stands before `--`, behind which nothing is an option. */
export function optionsPart(argv: string[]): string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}

/** The flag forms of the original: `ktadmin db --start --pg-rootdir DIR --background` is `ktadmin db start …`. */
function modernize(argv: string[]): string[] {
  const [place, next] = wordPlaces(argv);
  const verb = optionsPart(argv).findIndex((word) => /^--(?:start|stop|restart|status)$/.test(word));
  if (place === undefined || argv[place] !== 'db' || next !== undefined || verb === -1) return argv;
  const word = argv[verb]?.slice(2) ?? '';
  return argv.toSpliced(verb, 1).toSpliced(verb < place ? place : place + 1, 0, word);
}

/** What was typed, as the parser takes it, and the place in the command tree that it names. */
export interface Typed {
  argv: string[];
  /** The command, or the topic where no command of it was named. */
  node: CommandNode;
  /** The name of the program. */
  root: string;
  /** How a person calls it: `ktadmin orgtool add`. */
  called: string;
  /** The words after the program's name that led to it. */
  path: string[];
  /** The word behind them: a command's first argument, or a command that a topic does not have. */
  next: string | undefined;
}

function descend(root: CommandNode, words: string[]): { path: CommandNode[]; next: string | undefined } {
  const path = [root];
  for (const word of words) {
    const child = path.at(-1)?.children.find((node) => node.name === word);
    if (child === undefined) return { path, next: word };
    path.push(child);
  }
  return { path, next: undefined };
}

/**
 * Finds the command that was typed, in any of its forms: the flag forms of `db`, and `help` before the command or after
 * its topic, which stands for `--help`. A word that names nothing wins over `--help`: it is an error, and a help screen
 * would hide it.
 */
export function readWords(root: CommandNode, typed: string[]): Typed {
  let argv = modernize(typed);
  const { path: before, next: word } = descend(root, wordsOf(argv));
  if (word === 'help' && (before.at(-1)?.children.length ?? 0) > 0) {
    argv = [...argv.toSpliced(wordPlaces(argv)[before.length - 1] ?? 0, 1), '--help'];
  }
  const { path, next } = descend(root, wordsOf(argv));
  const node = path.at(-1) ?? root;
  if (next !== undefined && node.children.length > 0) argv = argv.filter((each) => !HELP.test(each));
  const names = path.map(({ name }) => name);
  return { argv, node, root: root.name, called: names.join(' '), path: names.slice(1), next };
}
