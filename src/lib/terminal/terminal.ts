import type { Ora } from 'ora';
import { environment, forbidColor } from '../core/config.ts';
import { load } from '../core/lazy.ts';
import type { Reporter } from '../core/reporter.ts';
import { logTime } from '../core/time.ts';
import { watchOutput, write } from './output.ts';

/** How a command meets a person or a script: data on stdout, everything else on stderr. */
export interface Terminal extends Reporter {
  /** Writes data; waits where the reader is slow; a reader that has gone away ends it quietly. */
  write(data: string | Uint8Array): Promise<void>;
  /** Says something that `--quiet` silences. */
  notice(text: string): void;
  /** Says something that is always said. */
  warn(text: string): void;
  /** Whether a person can be asked. */
  canAsk: boolean;
  quiet: boolean;
}

/** How much is said, and how. */
export interface Manner {
  quiet: boolean;
  verbose: boolean;
  input: boolean;
  json: boolean;
  color: boolean;
  logForm: 'dated' | 'short';
}

/** Whether a stream may carry colour: `--no-color` > NO_COLOR > FORCE_COLOR > TERM=dumb > whether it is a terminal. */
export function hasColor(stream: NodeJS.WriteStream, wanted: boolean): boolean {
  if (!wanted || environment.noColor) return false;
  if (environment.forceColor !== undefined)
    return environment.forceColor !== '0' && environment.forceColor !== 'false';
  return environment.term !== 'dumb' && stream.isTTY === true;
}

/** Makes the terminal of one run. */
export function createTerminal(manner: Manner): Terminal {
  watchOutput();
  if (!hasColor(process.stderr, manner.color)) forbidColor();
  // A terminal that does not know its width (a serial line, `script`) would have the animation draw for ever.
  const animated =
    process.stderr.isTTY === true &&
    process.stderr.columns > 0 &&
    environment.term !== 'dumb' &&
    !manner.quiet &&
    !manner.json;
  let spinner: Ora | undefined;

  const say = (text: string) => {
    spinner?.clear();
    process.stderr.write(`${text}\n`);
    spinner?.render();
  };

  const log: Reporter['log'] = (logger, level, message, at = new Date()) => {
    if (level === 'DEBUG' && !manner.verbose) return;
    if (level === 'INFO' && manner.quiet) return;
    say(
      manner.logForm === 'dated'
        ? `${logTime(at)} - ${logger} - ${level} - ${message}`
        : `${level}:${logger}:${message}`,
    );
  };

  const step = async <T>(text: string, work: () => Promise<T>): Promise<T> => {
    if (!animated) return work();
    const { default: ora } = await load('ora');
    const color = hasColor(process.stderr, manner.color) ? 'cyan' : false;
    spinner = ora({ text, stream: process.stderr, discardStdin: false, color }).start();
    try {
      return await work();
    } finally {
      spinner.stop();
      spinner = undefined;
    }
  };

  return {
    write,
    log,
    step,
    notice: (text) => {
      if (!manner.quiet) say(text);
    },
    warn: (text) => say(`ktadmin: warning: ${text}`),
    canAsk: manner.input && process.stdin.isTTY === true && process.stderr.isTTY === true,
    quiet: manner.quiet,
  };
}
