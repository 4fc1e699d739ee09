import { CommanderError } from 'commander';
import { failure } from '../core/errors.ts';

/**
 * Turns what the parser found wrong into an error for a person, with the next step. Values that were typed stand in none
 * of these messages: a mistyped `--secret=…` would put a secret on the screen.
 */
export function usageError(error: unknown, called: string): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [text = 'wrong usage', ...suggestions] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = suggestions.join(' ').replace(/^\((.*)\)$/, '$1');
  const help =
    error.code === 'commander.unknownCommand'
      ? `${called} --help lists the commands`
      : `${called} --help shows how it is used`;
  return failure('usage', reword(error.code, text), suggestion === '' ? help : suggestion);
}

function reword(code: string, text: string): string {
  const numbers = /Expected (\d+) arguments? but got (\d+)/.exec(text);
  if (code === 'commander.excessArguments' && numbers !== null)
    return `too many words after the command: ${numbers[2]}, and it takes ${numbers[1] === '0' ? 'none' : numbers[1]}`;
  const missing = /^option '(.*)' argument missing$/.exec(text)?.[1];
  if (missing !== undefined) return `${missing} needs a value`;
  const word = /^missing required argument '(.*)'$/.exec(text)?.[1];
  if (word !== undefined) return `missing <${word}>`;
  return text.replaceAll("'", '');
}
