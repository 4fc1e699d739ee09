import { DEFAULT_CONFDIR } from '../core/config.ts';
import { STATUS, STATUS_MEANING, type StatusName } from '../core/errors.ts';
import type { Command, CommandNode, OptionSpec } from './command.ts';

/** A term and what it means. */
type Row = [term: string, text: string];

/** What a help screen is made of. */
export interface HelpSubject {
  node: CommandNode;
  /** How a person calls it: `ktadmin orgtool add`. */
  called: string;
  command?: Command | undefined;
}

const HELP_ROW: Row = ['-h, --help', 'print this'];
const VERSION_ROW: Row = ['--version', 'print the version, with --json as JSON'];

/** The options of every command. The product's backup script takes `-c` for `--confdir`; elsewhere it means contacts. */
export function globalRows(shortConfdir = false): Row[] {
  return [
    [
      `${shortConfdir ? '-c, ' : ''}--confdir <dir>`,
      `configuration directory (default: $KEYTRUSTEE_CONFDIR, else ${DEFAULT_CONFDIR})`,
    ],
    ['--json', 'print the result, or the error, as JSON on stdout'],
    ['-q, --quiet', 'print nothing but data and errors'],
    ['--verbose', 'print more of what happens'],
    ['--no-input', 'never ask, fail instead'],
    ['--no-color', 'print without colour'],
  ];
}

/** Breaks a text at its spaces. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Two columns, the second of them wrapped. */
function rows(list: Row[], width: number): string {
  const first = Math.max(...list.map(([term]) => term.length)) + 2;
  const indent = `\n${' '.repeat(first + 2)}`;
  const line = ([term, text]: Row) =>
    `  ${term.padEnd(first)}${wrap(text, Math.max(width - first - 2, 30)).join(indent)}`;
  return list.map(line).join('\n');
}

function section(title: string, text: string): string {
  return text === '' ? '' : `\n${title}:\n${text}\n`;
}

/** `-n <name>`: how an option that cannot be left out stands in the usage line. */
function shortForm(spec: OptionSpec<unknown>): string {
  const [first = '', value = ''] = spec.flags.replace(/ (<.*)$/, '|$1').split('|');
  return `${first.split(',')[0]} ${value}`;
}

function usage({ node, called, command }: HelpSubject): string {
  if (command === undefined) return `${called}${node.children.length > 0 ? ' <command>' : ''} [options]`;
  const required = Object.values(command.options).filter((spec) => spec.isRequired);
  const words = [called, ...required.map(shortForm), '[options]', ...(command.words ? [command.words] : [])];
  const below = node.children.length > 0 ? [`       ${called} <command> [options]`] : [];
  return [words.join(' '), ...below].join('\n');
}

function ownOptions(command: Command | undefined): Row[] {
  const shown = Object.values(command?.options ?? {}).filter((spec) => !spec.isHidden);
  return shown.map((spec) => {
    const fallback = ['string', 'number'].includes(typeof spec.fallback)
      ? ` (default: ${spec.fallback})`
      : '';
    return [spec.flags, `${spec.description}${fallback}`];
  });
}

function exitStatuses(): Row[] {
  const names = Object.keys(STATUS) as StatusName[];
  const table = names.map((name): Row => [String(STATUS[name]).padStart(3), STATUS_MEANING[name]]);
  return [...table, ['128+n', 'ended by signal n']];
}

const ENVIRONMENT: Row[] = [
  ['KEYTRUSTEE_CONFDIR', 'configuration directory when --confdir is not given'],
  ['PG_BINDIR', "where PostgreSQL's programs are, instead of looking"],
];
const CLIENT_ENVIRONMENT: Row[] = [
  ['KEYTRUSTEE_HOME', "the client's directory when --home is not given"],
  ['HOME', 'where that directory is otherwise: ~/.keytrustee'],
];

/** The options of every command: explained on the first screen, and only named on all others, where they would drown the rest. */
function globalSection({ called, command }: HelpSubject, width: number): string {
  const globals = [...globalRows(command?.shortConfdir), HELP_ROW];
  if (called === 'ktadmin')
    return section('Options of every command', rows([...globals, VERSION_ROW], width));
  const names = globals.map(([flags]) => flags.replace(', ', '/')).join(', ');
  const text = wrap(names, width - 2).join('\n  ');
  return section('Options of every command (ktadmin --help explains them)', `  ${text}`);
}

/** The help screen of a command or a topic, for a terminal of so many columns. */
export function helpScreen(subject: HelpSubject, width = 80): string {
  const { node, called, command } = subject;
  const commands = node.children.map((child): Row => [child.name, child.summary]);
  const examples = command?.examples ?? node.examples ?? [];
  const own = ownOptions(command);
  return [
    `Usage: ${usage(subject)}\n\n${node.summary[0]?.toUpperCase()}${node.summary.slice(1)}.\n`,
    section('Commands', commands.length === 0 ? '' : rows(commands, width)),
    section('Options', own.length === 0 ? '' : rows(own, width)),
    globalSection(subject, width),
    section('Examples', examples.map((line) => `  ${line}`).join('\n')),
    section('Environment', rows(node.manual === 'keytrustee' ? CLIENT_ENVIRONMENT : ENVIRONMENT, width)),
    section('Exit status', rows(exitStatuses(), width)),
    commands.length === 0 ? '' : `\n${called} <command> --help explains a command.`,
    `\nManual: man ${node.manual ?? 'ktadmin'}\n`,
  ].join('');
}
