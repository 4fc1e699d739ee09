import { createSecureContext } from 'node:tls';
import { errorCode, failure } from '../core/errors.ts';

/** The oldest version of TLS that is spoken, in the original product's words. */
export type MinimumVersion = 'tlsv1' | 'tlsv1.1' | 'tlsv1.2' | 'tlsv1.3';

/** The suites of TLS 1.3 that OpenSSL knows (RFC 8446, appendix B.4); a list of older ciphers does not limit them. */
export const SUITES = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_128_CCM_SHA256',
  'TLS_AES_128_CCM_8_SHA256',
];
const DEFAULT_SUITES = SUITES.slice(0, 3);

/** Words of OpenSSL for ciphers that a build may lack (ciphers(1)): to exclude what is not there does no harm. */
const OFTEN_ABSENT = new Set(
  'MD5 RC4 RC2 DES 3DES IDEA SEED EXP EXPORT EXPORT40 EXPORT56 LOW MEDIUM SSLv2 SSLv3 DSS aDSS PSK kPSK SRP aSRP kSRP ADH AECDH NULL aNULL eNULL DH aDH kDH kDHd kDHr aECDH kECDH kECDHe kECDHr KRB5 kKRB5 aKRB5 kFZA aFZA eFZA FZA kGOST aGOST aGOST01 GOST94 GOST89MAC ARIA CAMELLIA'.split(
    ' ',
  ),
);

const LOOK = 'openssl ciphers -v lists the names';

function isKnown(token: string): boolean {
  try {
    createSecureContext({ ciphers: token });
    return true;
  } catch {
    return false;
  }
}

function checkCommand(token: string, minimum: MinimumVersion): void {
  if (token === '@STRENGTH' || /^@SECLEVEL=[1-5]$/.test(token)) return;
  if (token !== '@SECLEVEL=0')
    throw failure('failed', `SSL_CIPHERS: ${token} is no command of OpenSSL`, LOOK);
  if (minimum === 'tlsv1' || minimum === 'tlsv1.1') return;
  throw failure(
    'failed',
    `SSL_CIPHERS: @SECLEVEL=0 would allow broken ciphers with SSL_MIN_VERSION ${minimum}`,
    'leave it out; with tlsv1 and tlsv1.1 it is set by itself',
  );
}

/** OpenSSL passes over a name that it does not know among others that it does, so each is tried alone. */
function checkToken(token: string): void {
  const name = token.replace(/^[!+-]/, '');
  if (name !== token && OFTEN_ABSENT.has(name)) return;
  const known = token.startsWith('TLS_') ? SUITES.includes(token) : !name.startsWith('TLS_') && isKnown(name);
  if (!known) throw failure('failed', `SSL_CIPHERS: OpenSSL knows no cipher ${token}`, LOOK);
}

/**
 * What OpenSSL is told for a list of ciphers separated by colons, commas or spaces: normalised, with the suites of TLS 1.3
 * named (those of the list, else the usual three), and never without authentication or encryption.
 */
export function cipherString(list: string, minimum: MinimumVersion): string {
  const tokens = list
    .replaceAll('@', ':@')
    .split(/[:, ]+/)
    .filter((token) => token !== '');
  for (const token of tokens) {
    if (token.startsWith('@')) checkCommand(token, minimum);
    else checkToken(token);
  }
  const suites = tokens.filter((token) => token.startsWith('TLS_'));
  const older = tokens.filter((token) => !token.startsWith('TLS_'));
  const isOld = minimum === 'tlsv1' || minimum === 'tlsv1.1';
  const string = [
    ...(suites.length > 0 ? suites : DEFAULT_SUITES),
    ...(older.some((token) => /^[A-Za-z0-9]/.test(token)) ? older : ['DEFAULT', ...older]),
    ...['!aNULL', '!eNULL', ...(isOld ? ['@SECLEVEL=0'] : [])],
  ].join(':');
  try {
    createSecureContext({ ciphers: string });
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ERR_SSL_NO_CIPHER_MATCH') throw error;
    throw failure('failed', 'SSL_CIPHERS leaves no cipher', LOOK);
  }
  return string;
}
