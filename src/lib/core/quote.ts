const LIMIT = 60;

/**
 * What somebody typed, as an error repeats it: short, in quotes, on one line, and without characters that a terminal
 * would obey (control characters, also those of ISO 6429 above 127) or that turn the direction of writing.
 */
export function quote(text: string): string {
  const short = text.length > LIMIT ? `${text.slice(0, LIMIT)}...` : text;
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A word of a command line that somebody is to copy: in quotes where a shell would take it apart. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
