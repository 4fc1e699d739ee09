import { join } from 'node:path';
import { shellWord } from './quote.ts';

/** Whether a path is a directory, or below it. */
export const isBelow = (path: string, directory: string) =>
  path === directory || path.startsWith(`${directory}/`);

/** A path below one directory, as far below another. */
export const movedTo = (path: string, from: string, to: string) => join(to, path.slice(from.length));

/** A setting that names something in the old directory: a path, or a command that has one among its words. */
export function movedText(text: string, from: string, to: string): string {
  if (from === to) return text;
  if (isBelow(text, from)) return movedTo(text, from, to);
  return text
    .split(' ')
    .map((word) => (isBelow(word, from) ? shellWord(movedTo(word, from, to)) : word))
    .join(' ');
}
