import { basename } from 'node:path';
import { environment } from '../core/config.ts';
import { shellWord } from '../core/quote.ts';

/** An option whose value is a secret: by itself, or with the value behind it, also after other letters (`-qsCODE`). */
const SECRET_OPTION = /^(?:-q*s|--secret)$/;
const SECRET_WITH_VALUE = /^(-q*s|--secret=).+$/s;

/** Where the environment named the configuration, the line must: sudo drops the environment. */
function confdirWords(words: string[]): string[] {
  const isTyped = words.some((word) => /^(?:-c$|--confdir(?:=|$))/.test(word));
  return environment.confdir === undefined || isTyped ? [] : ['--confdir', environment.confdir];
}

/** The line that does what was typed as the right account. A secret among the words is left out of it. */
export function sudoLine(account: string): string {
  const words = process.argv.slice(2).map((word, index, all) => {
    if (SECRET_OPTION.test(all[index - 1] ?? '')) return 'CODE';
    return word.replace(SECRET_WITH_VALUE, '$1CODE');
  });
  const program = basename(process.argv[1] ?? 'ktadmin').replace(/\.js$/, '');
  const user = account === 'root' ? 'sudo' : `sudo -u ${shellWord(account)}`;
  return [user, program, ...[...confdirWords(words), ...words].map(shellWord)].join(' ');
}
