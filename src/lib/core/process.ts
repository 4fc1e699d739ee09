import { constants, userInfo } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Options } from 'execa';
import { type ChildResult, childFailure, type RawResult, toResult } from './child-result.ts';
import { childEnvironment, continuedEnvironment } from './config.ts';
import { failure } from './errors.ts';
import { type Interrupted, interruption, withoutKeyboardInterrupt } from './interrupt.ts';
import { load } from './lazy.ts';
import { endGroup, endWhenFull } from './process-group.ts';

/** How a child is started. Secrets go in by `input` or a descriptor, never as an argument. */
export interface ChildOptions {
  /** Text or bytes for standard input; without it, standard input is empty. */
  input?: string | Uint8Array;
  /** Descriptors or `inherit` for standard input, output and error, where the child is not just read. */
  stdio?: Options['stdio'];
  /** HOME of the child; `/` where none is given, so that nobody's personal configuration is read. */
  home?: string;
  /** Working directory; `/` where none is given, which every account may enter. */
  directory?: string;
  /** Further variables of the child's environment. */
  variables?: Record<string, string>;
  /** Milliseconds after which the child is ended. */
  timeout?: number;
  /** When its time is up, what it has started is ended with it: that would hold its output open. */
  whole?: boolean;
  /** Bytes of output that are taken of a `whole` child. One that prints more is ended with what it has started. */
  most?: number;
  /** Clean-up goes on although the program was interrupted. */
  cleanUp?: boolean;
}

function execaOptions(options: ChildOptions): Options {
  return {
    reject: false,
    extendEnv: false,
    env: { ...childEnvironment(options.home ?? '/'), ...options.variables },
    cwd: options.directory ?? '/',
    stripFinalNewline: false,
    ...(options.cleanUp === true ? {} : { cancelSignal: interruption }),
    forceKillAfterDelay: 5000,
    ...(options.whole === true ? { detached: true } : {}),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    ...(options.most === undefined ? {} : { maxBuffer: options.most }),
    ...(options.stdio === undefined ? { input: options.input ?? '' } : { stdio: options.stdio }),
  };
}

/** Runs a program to its end and returns what it said, whatever its exit status. No shell is ever involved. */
export async function run(file: string, args: string[], options: ChildOptions = {}): Promise<ChildResult> {
  const { execa } = await load('execa');
  const child = execa(file, args, execaOptions(options));
  const timer = options.whole === true ? setTimeout(endGroup, options.timeout, child.pid) : undefined;
  const counted = options.most === undefined ? undefined : endWhenFull(child, options.most);
  const raw = (await child) as RawResult;
  clearTimeout(timer);
  if (counted?.isFull === true) throw failure('failed', `${file} printed too much`);
  return toResult(raw, file, options.cleanUp);
}

/** Like `run`, but an exit status other than 0 is an error that carries the program's last words. */
export async function runChecked(file: string, args: string[], options: ChildOptions = {}): Promise<string> {
  const result = await run(file, args, options);
  if (result.status !== 0) throw childFailure(file, result);
  return result.stdout;
}

/** A program that was started. `done` settles when it has ended; whoever reads its output must await it before trusting that. */
export interface StartedChild {
  done: Promise<ChildResult>;
  kill(): void;
}

/** A child whose input is a stream. */
export interface FedChild extends StartedChild {
  stdin: Writable;
}

/** A child whose output is a stream, too. `kill` also lets go of what nobody has read. */
export interface StreamingChild extends FedChild {
  stdout: Readable;
}

async function launch(file: string, args: string[], options: ChildOptions) {
  const { execa } = await load('execa');
  const buffer = { stdout: false, stderr: true };
  const child = execa(file, args, { ...execaOptions(options), buffer });
  const done = child.then((raw) => toResult(raw as RawResult, file));
  done.catch(() => undefined);
  return { child, done, kill: () => child.kill() };
}

/** Starts a program whose standard input and output are streams. */
export async function stream(
  file: string,
  args: string[],
  options: Omit<ChildOptions, 'input' | 'stdio'> = {},
): Promise<StreamingChild> {
  const { child, done, kill } = await launch(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const stdout = child.stdout as unknown as Readable;
  // Output that has no listener yet would be read away by the library, and the beginning of a dump be lost.
  const hold = () => undefined;
  stdout.on('readable', hold);
  const release = () => {
    kill();
    stdout.off('readable', hold).resume();
  };
  return { stdin: child.stdin as Writable, stdout, done, kill: release };
}

/** Starts a program whose standard input is a stream, and whose output is of no interest. */
export async function startFed(
  file: string,
  args: string[],
  options: Omit<ChildOptions, 'input' | 'stdio'> = {},
): Promise<FedChild> {
  const { child, done, kill } = await launch(file, args, { ...options, stdio: ['pipe', 'ignore', 'pipe'] });
  return { stdin: child.stdin as Writable, done, kill };
}

/** Runs a program on this process's own terminal and returns its exit status. Ctrl-C is the program's own affair. */
export async function runInteractively(
  file: string,
  args: string[],
  home: string,
  variables: Record<string, string> = {},
): Promise<number> {
  const { execa } = await load('execa');
  const options: Options = {
    reject: false,
    extendEnv: false,
    env: { ...childEnvironment(home), ...variables },
    cwd: process.cwd(),
    stdio: 'inherit',
    cancelSignal: interruption,
  };
  const result = await withoutKeyboardInterrupt(async () => (await execa(file, args, options)) as RawResult);
  const { status, signal } = toResult(result, file);
  return status ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

/** Runs this program's own continuation and returns its exit status; a signal that only this process got is passed on. */
export async function continueAs(
  file: string,
  args: string[],
  descriptors: (Buffer | number)[],
): Promise<number> {
  const { execa } = await load('execa');
  const child = execa(file, args, {
    reject: false,
    extendEnv: false,
    env: continuedEnvironment(userInfo().username),
    stdio: ['inherit', 'inherit', 'inherit', ...descriptors],
  } as Options);
  const passOn = () => {
    const { signal } = interruption.reason as Interrupted;
    if (signal === 'SIGTERM' || process.stdin.isTTY !== true) child.kill(signal);
  };
  interruption.addEventListener('abort', passOn);
  const { exitCode, signal } = (await child) as RawResult;
  return exitCode ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}
