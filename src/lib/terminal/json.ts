import { isReaderGone } from './output.ts';
import type { Terminal } from './terminal.ts';

/** Thrown when nobody reads any more: not an error, only the end. */
export class ReaderGone extends Error {
  override name = 'ReaderGone';
}

/** JSON as Python prints it with an indent of 4 and nothing but ASCII, which is what the original's readers know. */
function legacyJson(value: unknown, depth: number): string {
  const text = JSON.stringify(value, null, 4).replaceAll('\n', `\n${' '.repeat(4 * depth)}`);
  return text.replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Bytes that are put together before they are written. */
const PIECE = 65_536;

/**
 * Prints one JSON object member by member, so that its size does not matter. The members must come in the order in which
 * they are to stand.
 */
export function objectPrinter(terminal: Terminal): {
  member(name: string, value: unknown): Promise<void>;
  end(): Promise<void>;
} {
  let held = '{';
  let isEmpty = true;
  return {
    async member(name, value) {
      if (isReaderGone()) throw new ReaderGone();
      held += `${isEmpty ? '' : ','}\n    ${legacyJson(name, 1)}: ${legacyJson(value, 1)}`;
      isEmpty = false;
      if (held.length < PIECE) return;
      const piece = held;
      held = '';
      await terminal.write(piece);
    },
    end: () => terminal.write(`${held}${isEmpty ? '' : '\n'}}\n`),
  };
}
