import type { Options } from 'execa';
import { childEnvironment } from './config.ts';
import { failure } from './errors.ts';
import { load } from './lazy.ts';

/** A program that goes on when this one has ended. `exited` settles with its exit status (null: a signal ended it). */
export interface Daemon {
  pid: number;
  exited: Promise<number | null>;
  /** The same, and this process stays until then. */
  wait(): Promise<number | null>;
}

/** Starts a program that goes on when this one has ended; its output goes to a descriptor. */
export async function startDaemon(
  file: string,
  args: string[],
  output: number,
  home: string,
): Promise<Daemon> {
  const { execa } = await load('execa');
  const daemon: Options = {
    reject: false,
    extendEnv: false,
    env: childEnvironment(home),
    cwd: '/',
    detached: true,
    cleanup: false,
    stdio: ['ignore', output, output] as Options['stdio'],
  };
  const child = execa(file, args, daemon);
  if (child.pid === undefined) throw failure('failed', `${file} could not be started`);
  child.unref();
  const exited = child.then((raw) => raw.exitCode ?? null);
  const wait = () => {
    child.ref();
    return exited;
  };
  return { pid: child.pid, exited, wait };
}
