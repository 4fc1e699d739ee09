import { failure } from './errors.ts';
import { interruption } from './interrupt.ts';

/** How a child ended. `status` is null when a signal ended it. */
export interface ChildResult {
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** What is read of execa's result: its own type depends on the options in ways that do not help here. */
export interface RawResult {
  exitCode?: number | undefined;
  signal?: string | undefined;
  code?: string | undefined;
  timedOut?: boolean | undefined;
  stdout?: unknown;
  stderr?: unknown;
}

/** How a child ended, from execa's result; an interruption of this program, and a child that could not be started, are errors. */
export function toResult(raw: RawResult, file: string, cleanUp = false): ChildResult {
  if (interruption.aborted && !cleanUp) throw interruption.reason;
  if (raw.code === 'ENOENT') throw failure('notFound', `the program ${file} is not installed`);
  if (raw.exitCode === undefined && raw.signal === undefined) {
    throw failure('failed', `${file} could not be started (${raw.code ?? 'unknown reason'})`);
  }
  if (raw.timedOut) throw failure('failed', `${file} did not answer in time`);
  return {
    status: raw.exitCode ?? null,
    signal: raw.signal ?? null,
    stdout: typeof raw.stdout === 'string' ? raw.stdout : '',
    stderr: typeof raw.stderr === 'string' ? raw.stderr : '',
  };
}

/** The error of a child that did not end well. Arguments are left out: they say nothing to a person. */
export function childFailure(file: string, result: ChildResult): Error {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const how = result.signal === null ? `exit status ${result.status}` : `signal ${result.signal}`;
  const words = result.stderr.trim().split('\n').slice(-5).join('\n');
  // Not only among the last words: initdb's child tells it, and then all of its parents end.
  if (/No space left on device/i.test(result.stderr + result.stdout)) {
    return failure('failed', `${name}: no space left on device`, 'free some space and run the command again');
  }
  return failure('failed', `${name} failed (${how})${words === '' ? '' : `: ${words}`}`);
}
