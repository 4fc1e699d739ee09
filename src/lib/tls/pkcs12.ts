import { shellWord } from '../core/quote.ts';
import {
  convert,
  damaged,
  type LockedFile,
  notConverted,
  type Opening,
  openssl,
  wrongPassword,
} from './opening.ts';

const WRONG = /mac verify|invalid password|wrong password|bad decrypt|cipherfinal/i;
const UNSUPPORTED = /unsupported|unable to load provider|unrecognized flag|unknown option/i;

function byHand(path: string): string {
  const file = shellWord(path);
  return `where OpenSSL has its old ciphers: (umask 077; openssl pkcs12 -legacy -in ${file} -aes256 -out ${file}.pem), then name ${file}.pem`;
}

/**
 * What a PKCS #12 holds, as PEM text with the key unlocked, for this process alone. The ciphers that Windows and old Java
 * used are OpenSSL's legacy ones, which it has to be asked for.
 */
export function openPkcs12({ path, bytes }: LockedFile, password: string): Promise<Opening<string>> {
  return convert(path, byHand(path), async () => {
    const args = ['pkcs12', '-nodes'];
    const first = await openssl(args, bytes, password);
    const answer = UNSUPPORTED.test(first.stderr)
      ? await openssl([...args, '-legacy'], bytes, password)
      : first;
    if (answer.status === 0) return { opened: answer.stdout };
    if (UNSUPPORTED.test(answer.stderr))
      return {
        fault: notConverted(path, 'OpenSSL lacks the ciphers that it is encrypted with', byHand(path)),
      };
    if (!WRONG.test(answer.stderr)) return { fault: damaged(path, 'PKCS#12') };
    return { fault: wrongPassword(path, `openssl pkcs12 -in ${shellWord(path)} -noout`) };
  });
}
