import { failure } from './errors.ts';

/**
 * Splits a command line into its words as a shell would, without one: quotes and backslashes are understood; nothing is
 * expanded. The line itself is in no error, for it may hold a secret.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let rest = line.trim();
  while (rest !== '') {
    const found = /^(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/s.exec(rest)?.[0];
    if (found === undefined) throw failure('failed', 'a quote is not closed');
    words.push(unquote(found));
    rest = rest.slice(found.length);
    if (rest !== '' && !/^\s/.test(rest)) throw failure('failed', 'a quote is not closed');
    rest = rest.trimStart();
  }
  return words;
}

function unquote(word: string): string {
  return word.replaceAll(
    /\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"/gs,
    (_all, escaped?: string, single?: string, double?: string) =>
      escaped ?? single ?? (double ?? '').replaceAll(/\\([\\"$`])/g, '$1'),
  );
}
