import { explain, type KeyTrusteeError, STATUS } from '../core/errors.ts';
import { Interrupted, interruption } from '../core/interrupt.ts';
import { load } from '../core/lazy.ts';
import { watchOutput } from './output.ts';
import { hasColor } from './terminal.ts';
import { optionsPart } from './words.ts';

async function red(text: string, color: boolean): Promise<string> {
  if (!hasColor(process.stderr, color)) return text;
  const { Chalk } = await load('chalk');
  return new Chalk({ level: 1 }).red(text);
}

function interruptionOf(thrown: unknown): Interrupted | undefined {
  if (thrown instanceof Interrupted) return thrown;
  return interruption.aborted ? (interruption.reason as Interrupted) : undefined;
}

/** Stacks are for defects and for what has a cause; "there is no organization x" needs none. */
function stackOf(error: KeyTrusteeError): string {
  const cause = error.cause instanceof Error ? error.cause : undefined;
  if (cause === undefined) return error.code === 'bug' ? `${error.stack}\n` : '';
  return `${error.stack}\ncaused by: ${cause.stack}\n`;
}

/**
 * Tells of the error that ended a command, in two lines on stderr or as JSON on stdout, and returns the exit status. A
 * stack is printed only with `--verbose`. `argv` is what was typed: it may be the parser that failed.
 */
export async function reportError(thrown: unknown, argv: string[]): Promise<number> {
  watchOutput();
  const typed = optionsPart(argv);
  const interrupted = interruptionOf(thrown);
  const error = explain(thrown);
  const status = interrupted?.status ?? STATUS[error.code];
  const message = interrupted?.message ?? error.message;
  const hint = interrupted === undefined ? error.hint : undefined;
  if (typed.includes('--json')) {
    const code = interrupted === undefined ? error.code : 'interrupted';
    const { faults, outcome } = interrupted === undefined ? error : {};
    process.stdout.write(
      `${JSON.stringify({ error: { code, message, hint: hint ?? null, faults, outcome } })}\n`,
    );
  } else {
    process.stderr.write(`${await red('ktadmin: error:', !typed.includes('--no-color'))} ${message}\n`);
    if (hint !== undefined) process.stderr.write(`ktadmin: hint: ${hint}\n`);
  }
  if (typed.includes('--verbose') && interrupted === undefined) process.stderr.write(stackOf(error));
  return status;
}
