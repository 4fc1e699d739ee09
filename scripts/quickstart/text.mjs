// How the quickstart writes: colour only on a terminal, commands as a person would type them, seconds.

const CODES = { bold: 1, red: 31, green: 32, dim: 2 };
const hasColor = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

/** The text in a colour where standard output is a terminal, else the text. */
export function paint(color, text) {
  return hasColor ? `\x1b[${CODES[color]}m${text}\x1b[0m` : text;
}

/** Seconds since a `performance.now()`. */
export function seconds(began) {
  return `${((performance.now() - began) / 1000).toFixed(2)} s`;
}

/** A command line that can be pasted into a shell. */
export function commandLine(words, variables = {}) {
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}`);
  return [...assignments, ...words.map(quote)].join(' ');
}

/** A word as a shell needs it; of `--option=value` only the value is quoted. */
function quote(word) {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  const [, option = '', value] = /^(--[\w-]+=)?(.*)$/s.exec(word);
  return `${option}'${value.replaceAll("'", "'\\''")}'`;
}
