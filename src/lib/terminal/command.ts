import type { Account } from '../core/account.ts';
import type { Settings } from '../core/configuration.ts';
import type { Library } from '../core/lazy.ts';
import type { Terminal } from './terminal.ts';

/** A place in the command tree. It can be both a command and a topic with commands below it; such a command takes no words. */
export interface CommandNode {
  name: string;
  summary: string;
  load?: () => Promise<{ default: Command }>;
  children: CommandNode[];
  /** Lines for the help screen of a topic; a command has its own. */
  examples?: string[];
  /** The manual page, where it is not `ktadmin`. */
  manual?: string;
}

/** One option of a command. Its key in `options` is the long flag in camel case. */
export interface OptionSpec<T> {
  flags: string;
  description: string;
  parse: ((text: string) => unknown) | undefined;
  isRequired: boolean;
  isRepeatable: boolean;
  fallback: unknown;
  isHidden: boolean;
  /** The command cannot run without it. */
  required(): OptionSpec<Exclude<T, undefined>>;
  /** May be given several times; the values are collected. */
  repeatable(): OptionSpec<Exclude<T, undefined>[]>;
  /** The value when it is not given. */
  default(value: Exclude<T, undefined>): OptionSpec<Exclude<T, undefined>>;
  /** Understood, and not shown: a form that only old scripts use. */
  hidden(): OptionSpec<T>;
}

function make<T>(
  fields: Omit<OptionSpec<T>, 'required' | 'repeatable' | 'default' | 'hidden'>,
): OptionSpec<T> {
  return {
    ...fields,
    required: () => make({ ...fields, isRequired: true }),
    repeatable: () => make({ ...fields, isRepeatable: true }),
    default: (value) => make({ ...fields, fallback: value }),
    hidden: () => make({ ...fields, isHidden: true }),
  };
}

const PLAIN = {
  parse: undefined,
  isRequired: false,
  isRepeatable: false,
  fallback: undefined,
  isHidden: false,
};

/** An option with a value: `option('-n, --name <name>', 'what it is', checkName)`. */
export function option(flags: string, description: string): OptionSpec<string | undefined>;
export function option<T>(
  flags: string,
  description: string,
  parse: (text: string) => T,
): OptionSpec<T | undefined>;
export function option(
  flags: string,
  description: string,
  parse?: (text: string) => unknown,
): OptionSpec<unknown> {
  return make({ ...PLAIN, flags, description, parse });
}

/** An option without a value. */
export function flag(flags: string, description: string): OptionSpec<boolean> {
  return make({ ...PLAIN, flags, description, fallback: false });
}

// biome-ignore lint/suspicious/noExplicitAny: any kind of option may stand in the table
export type OptionSpecs = Record<string, OptionSpec<any>>;
export type OptionValues<O extends OptionSpecs> = {
  [K in keyof O]: O[K] extends OptionSpec<infer T> ? T : never;
};

/** What every command may be given, before or after its name. */
export interface Globals {
  confdir: string;
  /** Whether `--confdir` or the environment named it. */
  confdirGiven: boolean;
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  input: boolean;
  color: boolean;
}

/** What a command works with. `args` are its words, and what stood after `--`. */
export interface Context {
  globals: Globals;
  terminal: Terminal;
  args: string[];
}

/** Who owns the configuration that a command works on, seen by the caller before it becomes that account. */
export interface Caller {
  account: Account;
  confdir: string;
  terminal: Terminal;
}

/** A command in the form in which it is assembled and run. */
export interface Command {
  options: OptionSpecs;
  /** Words after the command: `<file>`, `[args...]`. */
  words?: string;
  examples: string[];
  /** Whether `-c` means `--confdir` here, as `ktbackup.sh` has it. */
  shortConfdir?: boolean;
  /** Log lines: `dated` as keytrustee-orgtool writes them, `short` as ktadmin does. */
  logForm?: 'dated' | 'short';
  /**
   * The libraries that it uses once root has become the service account; without it, all. Root loads them beforehand
   * where that account cannot read the program's files, and then each of the others would cost the start for nothing.
   */
  libraries?: Library[];
  /** What must be done as the caller, before privileges are dropped to the account that owns the configuration. */
  asCaller?: (values: never, caller: Caller) => Promise<unknown>;
  run:
    | {
        needs: 'settings';
        work: (values: never, context: Context & { settings: Settings }, prepared: never) => Promise<unknown>;
      }
    | { needs: 'nothing'; work: (values: never, context: Context) => Promise<unknown> };
  /** Does the whole work as the caller, on a host that need have no server, where the values ask for that. */
  withoutServer?: (values: never, context: Context) => Promise<unknown> | undefined;
  /** Prints the result for people; with `--json` the result itself is printed. */
  print?: (result: never, terminal: Terminal) => void | Promise<void>;
}

interface Shared<O extends OptionSpecs, R> {
  options: O;
  words?: string;
  examples: string[];
  shortConfdir?: boolean;
  logForm?: 'dated' | 'short';
  libraries?: Library[];
  print?: (result: R, terminal: Terminal) => void | Promise<void>;
}

/**
 * A command on an initialized server: it runs as the account that owns the configuration, with the settings read. What
 * `asCaller` returns is handed to `run`. Where `withoutServer` has something to do, that is all.
 */
export function command<const O extends OptionSpecs, R, P = void>(
  definition: Shared<O, R> & {
    withoutServer?: (values: OptionValues<O>, context: Context) => Promise<R> | undefined;
    asCaller?: (values: OptionValues<O>, caller: Caller) => Promise<P>;
    run: (
      values: OptionValues<O>,
      context: Context & { settings: Settings },
      prepared: NoInfer<P>,
    ) => Promise<R>;
  },
): Command {
  return { ...definition, run: { needs: 'settings', work: definition.run } } as Command;
}

/** A command that finds its own way to the server: before there is one, or as the caller first. */
export function bareCommand<const O extends OptionSpecs, R>(
  definition: Shared<O, R> & { run: (values: OptionValues<O>, context: Context) => Promise<R> },
): Command {
  return { ...definition, run: { needs: 'nothing', work: definition.run } } as Command;
}
