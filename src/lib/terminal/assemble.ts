import { resolve } from 'node:path';
import { Command as Commander, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_CONFDIR, environment } from '../core/config.ts';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import type { Command, CommandNode, Globals, OptionSpec } from './command.ts';
import { globalRows, type HelpSubject, helpScreen } from './help.ts';
import { path } from './values.ts';
import type { Typed } from './words.ts';

/** Does what was typed. */
export type Runner = (
  command: Command,
  values: Record<string, unknown>,
  globals: Globals,
  args: string[],
) => Promise<void>;

/** Thrown when the version is asked for. */
export class VersionWanted extends Error {
  override name = 'VersionWanted';
}

/** Thrown when a help screen is asked for. */
export class HelpWanted extends Error {
  override name = 'HelpWanted';
  readonly screen: string;

  constructor(screen: string) {
    super('help was asked for');
    this.screen = screen;
  }
}

/** Thrown when only a topic was named. */
export class CommandMissing extends Error {
  override name = 'CommandMissing';
  readonly help: string;

  constructor(help: string) {
    super('no command was given');
    this.help = help;
  }
}

function globalOptions(shortConfdir: boolean): Option[] {
  return globalRows(shortConfdir).map(([flags, text]) => {
    const option = new Option(flags, text);
    return flags.includes('--confdir')
      ? option.argParser((given) => parseValue('--confdir', path, given))
      : option;
  });
}

function toOption(spec: OptionSpec<unknown>): Option {
  const option = new Option(spec.flags, spec.description);
  if (spec.isHidden) option.hideHelp();
  if (spec.isRepeatable) option.default([]);
  else if (spec.fallback !== undefined && spec.fallback !== false) option.default(spec.fallback);
  if (spec.parse === undefined && !spec.isRepeatable) return option;
  option.argParser<unknown>((text, previous) => {
    const value = parseValue(spec.flags, spec.parse, text);
    return spec.isRepeatable ? [...(previous as unknown[]), value] : value;
  });
  return option;
}

function parseValue(flags: string, parse: OptionSpec<unknown>['parse'], text: string): unknown {
  try {
    return parse === undefined ? text : parse(text);
  } catch (error) {
    if (error instanceof KeyTrusteeError)
      throw failure(error.code, `${flags.split(/[ ,]+/)[0]}: ${error.message}`, error.hint);
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

function checkRequired(command: Command, values: Record<string, unknown>, called: string): void {
  const missing = Object.entries(command.options).filter(
    ([name, spec]) => spec.isRequired && values[name] === undefined,
  );
  if (missing.length === 0) return;
  const flags = missing.map(([, spec]) => spec.flags).join(' and ');
  throw failure('usage', `missing ${flags}`, `${called} --help shows how it is used`);
}

function attach(place: Commander, command: Command, called: string, run: Runner): void {
  if (command.words !== undefined) place.arguments(command.words);
  for (const spec of Object.values(command.options)) place.addOption(toOption(spec));
  place.action(async () => {
    const own = place.opts();
    const values = Object.fromEntries(
      Object.entries(command.options).map(([name, spec]) => [name, own[name] ?? spec.fallback]),
    );
    checkRequired(command, values, called);
    await run(command, values, collectGlobals(place), place.args);
  });
}

/** The parser names an unknown option as it was typed, with its value, which may be a secret: the value is cut off. */
function hideValuesOfUnknownOptions(place: Commander): void {
  const parser = place as unknown as { unknownOption(flag: string): void };
  const report = parser.unknownOption.bind(parser);
  parser.unknownOption = (flag) =>
    report(flag.startsWith('--') ? flag.replace(/=.*$/s, '') : flag.slice(0, 2));
}

function commonParts(place: Commander, subject: HelpSubject): void {
  for (const option of globalOptions(subject.command?.shortConfdir === true)) place.addOption(option);
  place.addOption(new Option('--version').hideHelp()).on('option:version', () => {
    throw new VersionWanted();
  });
  place.exitOverride().helpOption('-h, --help').helpCommand(false).enablePositionalOptions();
  place.configureOutput({
    outputError: () => undefined,
    writeOut: (text) => {
      throw new HelpWanted(text);
    },
    getOutHasColors: () => false,
  });
  place.configureHelp({ formatHelp: (_, helper) => helpScreen(subject, helper.helpWidth) });
  hideValuesOfUnknownOptions(place);
}

async function build(node: CommandNode, typed: Typed, depth: number, run: Runner): Promise<Commander> {
  const place = new Commander(node.name);
  const next = node.children.find((child) => child.name === typed.path[depth]);
  const isEnd = next === undefined && (typed.next === undefined || node.children.length === 0);
  const command = (await node.load?.())?.default;
  const called = [typed.root, ...typed.path.slice(0, depth)].join(' ');
  if (isEnd && command !== undefined) attach(place, command, called, run);
  else if (isEnd) {
    place.action(() => {
      throw new CommandMissing(place.helpInformation());
    });
  }
  commonParts(place, { node, called, command });
  // Behind an option of a command the names of its own commands are nothing but words too many.
  if (isEnd && command !== undefined) return place;
  for (const child of node.children) {
    place.addCommand(child === next ? await build(child, typed, depth + 1, run) : new Commander(child.name));
  }
  return place;
}

/**
 * Makes the parser of a command line: the whole tree by name, and of the one command that was typed also its options, so
 * that no other command's module is loaded but that of one above it.
 */
export async function assemble(root: CommandNode, typed: Typed, run: Runner): Promise<Commander> {
  return build(root, typed, 0, run);
}
