import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { errorCode, failure } from '../core/errors.ts';
import { cipherString, type MinimumVersion } from './ciphers.ts';
import { requireMatch, type TlsPair } from './pair.ts';

/** What is spoken, by the names of the settings. */
export interface Protocol {
  SSL_MIN_VERSION: MinimumVersion;
  SSL_CIPHERS: string;
}

/** Node's names of the versions, the oldest first. */
export const VERSIONS = {
  tlsv1: 'TLSv1',
  'tlsv1.1': 'TLSv1.1',
  'tlsv1.2': 'TLSv1.2',
  'tlsv1.3': 'TLSv1.3',
} as const satisfies Record<MinimumVersion, string>;

const REASONS: Record<string, string> = {
  ERR_SSL_EE_KEY_TOO_SMALL: 'its key is too short for OpenSSL',
  ERR_SSL_CA_KEY_TOO_SMALL: 'the key of an authority is too short for OpenSSL',
  ERR_SSL_CA_MD_TOO_WEAK: 'it or an authority is signed with a digest that is too weak for OpenSSL',
};

/** What to do about a certificate that OpenSSL does not take. */
export const REPLACE = 'use a certificate with RSA 2048 or P-256, and SHA-256';

/** What a TLS server is given for a pair; nothing of it is checked but the words of the ciphers. */
export function contextOptions(
  pair: TlsPair,
  { SSL_MIN_VERSION, SSL_CIPHERS }: Protocol,
): SecureContextOptions {
  return {
    cert: pair.chain.map(String).join(''),
    key: pair.key.export({ type: 'pkcs8', format: 'pem' }) as string,
    minVersion: VERSIONS[SSL_MIN_VERSION],
    maxVersion: 'TLSv1.3',
    ciphers: cipherString(SSL_CIPHERS, SSL_MIN_VERSION),
    honorCipherOrder: true,
  };
}

/** Why OpenSSL does not take what a server is given; undefined where it does. */
export function refusalOf(options: SecureContextOptions): string | undefined {
  try {
    createSecureContext(options);
    return undefined;
  } catch (error) {
    const code = errorCode(error) ?? '';
    if (!/^ERR_(?:SSL|OSSL)_/.test(code)) throw error;
    return REASONS[code] ?? `OpenSSL says ${(error as { reason?: string }).reason ?? code}`;
  }
}

/**
 * What a TLS server is given, after OpenSSL has taken all of it once; a server that runs can exchange its context for this.
 * What it refuses is said in words of the settings.
 */
export function secureOptions(pair: TlsPair, protocol: Protocol): SecureContextOptions {
  requireMatch(pair);
  const options = contextOptions(pair, protocol);
  const refusal = refusalOf(options);
  if (refusal === undefined) return options;
  throw failure('untrusted', `SSL_CERTIFICATE cannot be used: ${refusal}`, REPLACE);
}
