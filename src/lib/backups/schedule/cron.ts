import { failure } from '../../core/errors.ts';
import type { ScheduledRun } from './run.ts';

/** Cron cuts a longer command off and runs what is left of it. Bytes. */
const COMMAND_LIMIT = 998;

/**
 * A word for the shell, in a crontab. There `%` is a line feed unless a backslash goes before it, which cron takes away;
 * a backslash before that one would count for itself, so each `%` gets quotes of its own.
 */
function quoteWord(word: string): string {
  if (/^[\w@+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''").replaceAll('%', "''\\%")}'`;
}

/**
 * A file for /etc/cron.d that makes backups. What the run prints on standard output is the path of the set, every time:
 * cron would mail it. What it prints on standard error is worth a mail.
 */
export function cronFile({ times, account, words, variables, notes }: ScheduledRun): string {
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quoteWord(value)}`);
  const command = `${[...assignments, ...words.map(quoteWord)].join(' ')} >/dev/null`;
  if (Buffer.byteLength(command) > COMMAND_LIMIT) {
    throw failure(
      'usage',
      `the line is too long for cron: ${Buffer.byteLength(command)} bytes, and it reads ${COMMAND_LIMIT}`,
      'give --as systemd, or shorter paths',
    );
  }
  return [
    ...notes.map((note) => `# ${note}`),
    'SHELL=/bin/sh',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'MAILTO=root',
    `${times.cron} ${account} ${command}`,
    '',
  ].join('\n');
}
