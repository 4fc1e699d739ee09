import { createPrivateKey, type KeyObject } from 'node:crypto';
import { errorCode } from '../core/errors.ts';
import { shellWord } from '../core/quote.ts';
import type { FoundKey } from './material.ts';
import { convert, notConverted, type Opening, openssl, wrongPassword } from './opening.ts';

/** What OpenSSL says of a cipher that it has only when it is asked for its legacy ones. */
const UNSUPPORTED = 'ERR_OSSL_EVP_UNSUPPORTED';
const LEGACY = ['-provider', 'legacy', '-provider', 'default'];

/** A key that was found without a password. */
export function readFoundKey(path: string, { pem }: FoundKey): Opening<KeyObject> {
  try {
    return { opened: createPrivateKey(pem) };
  } catch {
    const message = `the private key in ${path} cannot be read`;
    return {
      fault: {
        code: 'not-recognized',
        message,
        hint: `openssl pkey -in ${shellWord(path)} -noout says more`,
      },
    };
  }
}

/** Opens a key that has a password, also where it is encrypted with a cipher of old. */
export async function openFoundKey(
  path: string,
  { pem }: FoundKey,
  password: string,
): Promise<Opening<KeyObject>> {
  const file = shellWord(path);
  try {
    return { opened: createPrivateKey({ key: pem, passphrase: password }) };
  } catch (error) {
    if (errorCode(error) !== UNSUPPORTED)
      return { fault: wrongPassword(path, `openssl pkey -in ${file} -noout`) };
  }
  const command = `openssl pkey ${LEGACY.join(' ')} -in ${file}`;
  const byHand = `where OpenSSL has its old ciphers: (umask 077; ${command} -aes256 -out ${file}.new), then name ${file}.new`;
  return convert(path, byHand, async () => {
    const { status, stdout, stderr } = await openssl(['pkey', ...LEGACY], Buffer.from(pem), password);
    if (status === 0) return { opened: createPrivateKey(stdout) };
    if (/unsupported|unable to load provider/i.test(stderr))
      return { fault: notConverted(path, 'OpenSSL lacks the cipher that its key is encrypted with', byHand) };
    return { fault: wrongPassword(path, `${command} -noout`) };
  });
}
