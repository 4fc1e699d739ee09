import { join } from 'node:path';
import type { RestoreSource } from '../backups/restore/source.ts';
import { currentAccount } from '../core/account.ts';
import { confdirFiles, environment } from '../core/config.ts';
import type { Terminal } from './terminal.ts';

/** How the set that was typed is opened: with the caller's own key, its archive put aside where large files may lie. */
export function sourceOf(
  file: string,
  { gnupgHome, passphraseFile }: { gnupgHome: string | undefined; passphraseFile: string | undefined },
  terminal: Terminal,
): RestoreSource {
  return {
    file,
    near: environment.scratch,
    gnupgHome: gnupgHome ?? environment.gnupgHome,
    home: environment.home ?? currentAccount().home,
    passphraseFile,
    interactive: terminal.canAsk,
  };
}

/** The keyrings in which a server's public key may be: that of the server on this host, and the caller's own. */
export function keyringsOf({ gnupgHome, home }: RestoreSource, confdir: string): string[] {
  return [confdirFiles(confdir).publicKeys, join(gnupgHome ?? join(home, '.gnupg'), 'pubring.kbx')];
}
