import { basename } from 'node:path';

const SECRET_OPTIONS = new Set(['-s', '--secret']);

function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The line that does what was typed as the right account. A secret among the words is left out of it. */
export function sudoLine(account: string): string {
  const words = process.argv.slice(2).map((word, index, all) => {
    if (SECRET_OPTIONS.has(all[index - 1] ?? '')) return '…';
    return word.replace(/^(-s|--secret=)(?=.).*$/, '$1…');
  });
  const program = basename(process.argv[1] ?? 'ktadmin').replace(/\.js$/, '');
  const user = account === 'root' ? 'sudo' : `sudo -u ${quote(account)}`;
  return [user, program, ...words.map(quote)].join(' ');
}
