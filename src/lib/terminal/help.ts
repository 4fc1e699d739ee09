import type { Help } from 'commander';
import { STATUS, STATUS_MEANING, type StatusName } from '../core/errors.ts';
import type { Command, CommandNode, OptionSpec } from './command.ts';

type Row = [term: string, text: string];

/** What a help screen is made of. */
export interface HelpSubject {
  node: CommandNode;
  /** How a person calls it: `ktadmin orgtool add`. */
  called: string;
  command: Command | undefined;
  globals: Row[];
  /** Whether this is the screen that explains the options of every command. */
  isRoot: boolean;
}

const HELP_ROW: Row = ['-h, --help', 'print this'];

/** Two columns, wrapped to the width of the terminal. */
function rows(list: Row[], helper: Help): string {
  const width = Math.max(...list.map(([term]) => term.length));
  return list.map(([term, text]) => helper.formatItem(term, width, text, helper)).join('\n');
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
  return [called, ...required.map(shortForm), '[options]', ...(command.words ? [command.words] : [])].join(
    ' ',
  );
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

/** The options of every command: explained on the first screen, and only named on all others, where they would drown the rest. */
function globalSection({ isRoot, globals }: HelpSubject, helper: Help): string {
  if (isRoot) return section('Options of every command', rows([...globals, HELP_ROW, VERSION_ROW], helper));
  const names = [...globals, HELP_ROW].map(([flags]) => flags.replace(', ', '/')).join(', ');
  const text = helper.boxWrap(names, (helper.helpWidth ?? 80) - 2).replaceAll(/^/gm, '  ');
  return section('Options of every command (ktadmin --help explains them)', text);
}

const VERSION_ROW: Row = ['--version', 'print the version, with --json as JSON'];

/** The help screen of a command or a topic. */
export function helpScreen(subject: HelpSubject, helper: Help): string {
  const { node, called, command } = subject;
  const commands = node.children.map((child): Row => [child.name, child.summary]);
  const examples = command?.examples ?? node.examples ?? [];
  const own = ownOptions(command);
  return [
    `Usage: ${usage(subject)}\n\n${node.summary[0]?.toUpperCase()}${node.summary.slice(1)}.\n`,
    section('Commands', commands.length === 0 ? '' : rows(commands, helper)),
    section('Options', own.length === 0 ? '' : rows(own, helper)),
    globalSection(subject, helper),
    section('Examples', examples.map((line) => `  ${line}`).join('\n')),
    section('Environment', rows(ENVIRONMENT, helper)),
    section('Exit status', rows(exitStatuses(), helper)),
    commands.length === 0 ? '' : `\n${called} <command> --help explains a command.`,
    `\nManual: man ${node.manual ?? 'ktadmin'}\n`,
  ].join('');
}
