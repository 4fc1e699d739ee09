import { resolve } from 'node:path';
import { Command as Commander, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_CONFDIR, environment } from '../core/config.ts';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import type { Command, Globals, OptionSpec } from './command.ts';
import { footer } from './help.ts';

/** A place in the command tree. A place can be both a command and a topic with commands below it. */
export interface CommandNode {
  name: string;
  summary: string;
  load?: () => Promise<{ default: Command }>;
  children: CommandNode[];
}

/** Does what was typed. */
export type Runner = (
  command: Command,
  values: Record<string, unknown>,
  globals: Globals,
  args: string[],
) => Promise<void>;

const GLOBAL_GROUP = 'Options of every command:';

function globalOptions(shortConfdir: boolean): Option[] {
  const confdir = shortConfdir ? '-c, --confdir <dir>' : '--confdir <dir>';
  return [
    new Option(confdir, `configuration directory (default: $KEYTRUSTEE_CONFDIR, else ${DEFAULT_CONFDIR})`),
    new Option('--json', 'print the result, or the error, as JSON on stdout'),
    new Option('-q, --quiet', 'print nothing but data and errors'),
    new Option('--verbose', 'print more of what happens'),
    new Option('--no-input', 'never ask'),
    new Option('--no-color', 'no colour'),
  ].map((option) => option.helpGroup(GLOBAL_GROUP));
}

function toOption(spec: OptionSpec<unknown>): Option {
  const option = new Option(spec.flags, spec.description);
  if (spec.isHidden) option.hideHelp();
  if (spec.isRepeatable) option.default([]);
  else if (spec.fallback !== undefined && spec.fallback !== false) option.default(spec.fallback);
  if (spec.parse === undefined && !spec.isRepeatable) return option;
  option.argParser<unknown>((text, previous) => {
    const value = parseValue(spec, text);
    return spec.isRepeatable ? [...(previous as unknown[]), value] : value;
  });
  return option;
}

function parseValue(spec: OptionSpec<unknown>, text: string): unknown {
  try {
    return spec.parse === undefined ? text : spec.parse(text);
  } catch (error) {
    if (error instanceof KeyTrusteeError)
      throw failure(error.code, `${spec.flags.split(/[ ,]+/)[0]}: ${error.message}`, error.hint);
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** Global options count wherever they were typed; the one nearest to the command wins. */
function collectGlobals(leaf: Commander): Globals {
  const typed = (name: string): unknown => {
    for (let place: Commander | null = leaf; place !== null; place = place.parent) {
      if (place.getOptionValueSource(name) === 'cli') return place.getOptionValue(name);
    }
    return undefined;
  };
  const named = (typed('confdir') as string | undefined) ?? environment.confdir;
  return {
    confdir: resolve(named ?? DEFAULT_CONFDIR),
    confdirGiven: named !== undefined,
    json: typed('json') === true,
    quiet: typed('quiet') === true,
    verbose: typed('verbose') === true,
    input: typed('input') !== false,
    color: typed('color') !== false,
  };
}

function checkRequired(command: Command, values: Record<string, unknown>): void {
  const missing = Object.entries(command.options).filter(
    ([name, spec]) => spec.isRequired && values[name] === undefined,
  );
  if (missing.length === 0) return;
  const flags = missing.map(([, spec]) => spec.flags).join(' and ');
  throw failure('usage', `missing ${flags}`, 'add --help to see how it is used');
}

function attach(place: Commander, command: Command, run: Runner): void {
  if (command.words !== undefined) place.arguments(command.words);
  for (const spec of Object.values(command.options)) place.addOption(toOption(spec));
  place.addHelpText('after', footer(command.examples));
  place.action(async () => {
    const own = place.opts();
    const values = Object.fromEntries(
      Object.entries(command.options).map(([name, spec]) => [name, own[name] ?? spec.fallback]),
    );
    checkRequired(command, values);
    await run(command, values, collectGlobals(place), place.args);
  });
}

async function build(node: CommandNode, words: string[], run: Runner): Promise<Commander> {
  const place = new Commander(node.name).description(node.summary);
  place.exitOverride().helpOption('-h, --help', 'print this').enablePositionalOptions();
  place.configureOutput({ outputError: () => undefined });
  const [word, ...rest] = words;
  const next = node.children.find((child) => child.name === word);
  const command = next === undefined ? (await node.load?.())?.default : undefined;
  if (command !== undefined) attach(place, command, run);
  for (const option of globalOptions(command?.shortConfdir === true)) place.addOption(option);
  for (const child of node.children) {
    const below =
      child === next ? await build(child, rest, run) : new Commander(child.name).description(child.summary);
    place.addCommand(below);
  }
  if (node.children.length === 0) place.helpCommand(false);
  return place;
}

const GLOBAL_FLAGS = new Set(['--json', '-q', '--quiet', '--verbose', '--no-input', '--no-color']);

/** The words that name the command: they come first, and only options of every command stand before or between them. */
function wordsOf(argv: string[]): string[] {
  const words: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--confdir' || word === '-c') index += 1;
    else if (!word.startsWith('-')) words.push(word);
    else if (!GLOBAL_FLAGS.has(word) && !word.startsWith('--confdir=')) break;
  }
  return words;
}

/**
 * Makes the parser of a command line: the whole tree by name, and of the one command that was typed also its options, so
 * that no other command's module is loaded.
 */
export async function assemble(root: CommandNode, argv: string[], run: Runner): Promise<Commander> {
  return build(root, wordsOf(argv), run);
}
