import { explain, STATUS } from '../core/errors.ts';
import { Interrupted, interruption } from '../core/interrupt.ts';
import { load } from '../core/lazy.ts';
import { hasColor } from './terminal.ts';

/** How an error is to be shown. */
interface ErrorManner {
  json: boolean;
  verbose: boolean;
  color: boolean;
}

async function red(text: string, color: boolean): Promise<string> {
  if (!hasColor(process.stderr, color)) return text;
  const { Chalk } = await load('chalk');
  return new Chalk({ level: 1 }).red(text);
}

/**
 * Tells of the error that ended a command, in two lines on stderr or as JSON on stdout, and returns the exit status. No
 * stack unless `--verbose`.
 */
export async function reportError(thrown: unknown, manner: ErrorManner): Promise<number> {
  const interrupted =
    thrown instanceof Interrupted
      ? thrown
      : interruption.aborted
        ? (interruption.reason as Interrupted)
        : undefined;
  const error = explain(thrown);
  const status = interrupted?.status ?? STATUS[error.code];
  const message = interrupted?.message ?? error.message;
  const hint = interrupted === undefined ? error.hint : undefined;
  if (manner.json) {
    const code = interrupted === undefined ? error.code : 'interrupted';
    process.stdout.write(`${JSON.stringify({ error: { code, message, hint: hint ?? null } })}\n`);
    return status;
  }
  process.stderr.write(`${await red('ktadmin: error:', manner.color)} ${message}\n`);
  if (hint !== undefined) process.stderr.write(`ktadmin: hint: ${hint}\n`);
  if (manner.verbose && error.stack !== undefined) {
    const cause = error.cause instanceof Error ? `\ncaused by: ${error.cause.stack}` : '';
    process.stderr.write(`${error.stack}${cause}\n`);
  }
  return status;
}
