import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errorCode, failure } from '../core/errors.ts';
import { passwordOf } from './password.ts';

/** Where a certificate and its key lie, by the names of their settings. */
export interface PairFiles {
  SSL_CERTIFICATE: string;
  SSL_PRIVATE_KEY: string;
  SSL_CA_CERTIFICATE?: string | undefined;
  SSL_PRIVATE_KEY_PASSWORD_SCRIPT?: string | undefined;
}

/** A certificate, those of the authorities that are sent with it, and its private key, opened. */
export interface TlsPair {
  /** The server's own first, then the authorities, each once. */
  chain: X509Certificate[];
  key: KeyObject;
}

const PEM_CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

async function readText(name: keyof PairFiles, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reasons: Record<string, string> = { ENOENT: 'is missing', EACCES: 'may not be read' };
    const reason = reasons[errorCode(error) ?? ''] ?? 'cannot be read';
    throw failure('failed', `${name} ${path} ${reason}`, 'put the file there, or correct keytrustee.conf');
  }
}

async function readCertificates(
  name: 'SSL_CERTIFICATE' | 'SSL_CA_CERTIFICATE',
  path: string,
): Promise<X509Certificate[]> {
  const text = await readText(name, path);
  try {
    const found = (text.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (found.length > 0) return found;
  } catch {
    // Told below: what OpenSSL says of a broken certificate helps nobody.
  }
  throw failure(
    'failed',
    `${name} ${path} is no certificate in PEM form`,
    `openssl x509 -in ${path} -noout -text`,
  );
}

const LOCKED = new Set(['ERR_MISSING_PASSPHRASE', 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED']);

function openKey(path: string, text: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    const code = errorCode(error) ?? '';
    if (passphrase === undefined && (LOCKED.has(code) || /ENCRYPTED/.test(text))) {
      const hint = 'set SSL_PRIVATE_KEY_PASSWORD_SCRIPT to a command that prints it';
      throw failure('untrusted', `SSL_PRIVATE_KEY ${path} has a password`, hint);
    }
    if (/ENCRYPTED/.test(text)) {
      const hint = `openssl pkey -in ${path} -noout asks for the password, to try it by hand`;
      const what = `SSL_PRIVATE_KEY ${path} does not open with the password of SSL_PRIVATE_KEY_PASSWORD_SCRIPT`;
      throw failure('untrusted', what, hint);
    }
    throw failure(
      'failed',
      `SSL_PRIVATE_KEY ${path} is no private key in PEM form`,
      `openssl pkey -in ${path} -noout`,
    );
  }
}

/** Reads a certificate and those of its authorities, each once; says of each file what is wrong with it. */
export async function readChain({
  SSL_CERTIFICATE,
  SSL_CA_CERTIFICATE,
}: PairFiles): Promise<X509Certificate[]> {
  const own = await readCertificates('SSL_CERTIFICATE', SSL_CERTIFICATE);
  const others =
    SSL_CA_CERTIFICATE === undefined ? [] : await readCertificates('SSL_CA_CERTIFICATE', SSL_CA_CERTIFICATE);
  return [...own, ...others].filter(
    (one, place, all) => all.findIndex((other) => other.fingerprint256 === one.fingerprint256) === place,
  );
}

/** Reads a private key and opens it; says what is wrong with it. */
export async function readKey(files: PairFiles): Promise<KeyObject> {
  const { SSL_PRIVATE_KEY: path, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script } = files;
  const text = await readText('SSL_PRIVATE_KEY', path);
  // The script may be there for a key that has no password: the original product sets it for every key.
  const passphrase = script === undefined || !/ENCRYPTED/.test(text) ? undefined : await passwordOf(script);
  return openKey(path, text, passphrase);
}

/** Reads a certificate with its authorities, and its key. */
export async function readPair(files: PairFiles): Promise<TlsPair> {
  return { chain: await readChain(files), key: await readKey(files) };
}

/** Refuses a key that does not belong to its certificate. */
export function requireMatch({ chain, key }: TlsPair): void {
  if (chain[0]?.checkPrivateKey(key) === true) return;
  throw failure(
    'untrusted',
    'SSL_PRIVATE_KEY does not belong to SSL_CERTIFICATE',
    'put the key and the certificate of one request there',
  );
}
