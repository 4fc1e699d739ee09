import type { FileHandle } from 'node:fs/promises';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import { run } from '../core/process.ts';

/** How the recipient's own GnuPG is to be asked. */
export interface DecryptOptions {
  /** GnuPG home of the recipient; without it GnuPG's own default. */
  gnupgHome: string | undefined;
  home: string;
  /** An open file whose first line is the passphrase. */
  passphrase: FileHandle | undefined;
  /** Whether a person can be asked by pinentry. */
  interactive: boolean;
}

/** The recipient's key is not here, or could not be unlocked: which says nothing about the file. */
export class KeyNotAtHand extends KeyTrusteeError {
  constructor(message: string, hint: string) {
    super('untrusted', message, hint);
  }
}

/** The passphrase that was given is not the key's: which says nothing about the file either. */
export class WrongPassphrase extends KeyTrusteeError {
  constructor(path: string) {
    super('untrusted', `${path}: wrong passphrase for the recipient's key`);
  }
}

/**
 * Decrypts a file with the caller's GnuPG into an open file. What GnuPG has given out counts for nothing until it says
 * that the message was whole: exit status 0, DECRYPTION_OKAY and GOODMDC (hazard GP-7).
 */
export async function decryptFile(path: string, output: FileHandle, options: DecryptOptions): Promise<void> {
  const args = ['--no-options', '--quiet', '--status-fd', '2', '--no-auto-key-retrieve', '--disable-dirmngr'];
  if (options.gnupgHome !== undefined) args.push('--homedir', options.gnupgHome);
  if (!options.interactive) args.push('--batch', '--no-tty');
  if (options.passphrase !== undefined) args.push('--pinentry-mode', 'loopback', '--passphrase-fd', '3');
  else if (!options.interactive) args.push('--pinentry-mode', 'error');
  const stdin = options.interactive ? 'inherit' : 'ignore';
  const result = await run('gpg', [...args, '--decrypt', '--', path], {
    home: options.home,
    stdio: [
      stdin,
      output.fd,
      'pipe',
      ...(options.passphrase === undefined ? [] : [options.passphrase.fd]),
    ] as never,
  });
  const lines = result.stderr.split('\n');
  const said = (word: string) => lines.some((line) => `${line} `.startsWith(`[GNUPG:] ${word} `));
  if (result.status === 0 && said('DECRYPTION_OKAY') && said('GOODMDC')) return;
  throw explain(path, result.stderr, options.passphrase !== undefined);
}

const NOT_ASKED =
  /No pinentry|Inappropriate ioctl|Operation cancelled|Cancelled|loopback|No passphrase given/i;

/** GnuPG's last words are the same for a key that is not here and one that it could not unlock; its status lines differ. */
function explain(path: string, stderr: string, withPassphrase: boolean): Error {
  if (/No space left on device/i.test(stderr)) {
    return failure(
      'failed',
      'no space left on device while decrypting',
      'free some space and run the command again',
    );
  }
  const recipients = [...stderr.matchAll(/^\[GNUPG:\] ENC_TO ([0-9A-F]+)/gm)].map((match) => match[1]);
  const hasKey = /^\[GNUPG:\] KEY_CONSIDERED /m.test(stderr);
  const noKey = /No secret key/i.test(stderr);
  if (/BAD_PASSPHRASE|Bad passphrase/i.test(stderr) || (noKey && hasKey && withPassphrase)) {
    return new WrongPassphrase(path);
  }
  if (NOT_ASKED.test(stderr) || (noKey && hasKey)) {
    return new KeyNotAtHand(
      `${path}: the recipient's key is protected and no passphrase was given`,
      'run it on a terminal, or give --passphrase-file F',
    );
  }
  if (noKey) {
    return new KeyNotAtHand(
      `${path}: none of the recipients' secret keys is here (${recipients.join(', ')})`,
      'run it as the recipient, or give --gnupg-home DIR',
    );
  }
  return failure(
    'untrusted',
    `${path} is damaged, or not an OpenPGP file that this key opens`,
    'use another backup set',
  );
}
