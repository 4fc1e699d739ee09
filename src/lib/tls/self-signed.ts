import { createPrivateKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { type AlternativeName, alternativeNames, commonName } from './names.ts';
import { newPrivateKey } from './new-key.ts';
import { signerOf } from './signer.ts';

/** A certificate and its private key, both PEM. */
export interface CertificatePair {
  certificate: string;
  privateKey: string;
}

/** What a self-signed certificate is to be. */
export interface SelfSignedTerms {
  /** The name by which clients reach the server. */
  host: string;
  /** Further names. */
  names?: AlternativeName[];
  days: number;
  /** PEM, without a password. */
  privateKey: string;
}

/** Ten years, as the original product has it. */
const DAYS = 3650;
const DAY = 86_400_000;

/**
 * Makes what `init` makes: RSA 2048, ten years, with the host as subject and as subject alternative name (which the original
 * product left out, and today's clients ask for). A key that is there already can be given.
 */
export async function selfSignedCertificate(host: string, privateKey?: string): Promise<CertificatePair> {
  return makeSelfSigned({ host, days: DAYS, privateKey: privateKey ?? (await newPrivateKey('rsa2048')) });
}

/** Makes a self-signed certificate for a key. */
export async function makeSelfSigned({
  host,
  names = [],
  days,
  privateKey,
}: SelfSignedTerms): Promise<CertificatePair> {
  const key = readPrivateKey(privateKey);
  return { certificate: await selfSign({ host, names, days, key }), privateKey };
}

/** Signs a certificate with the key that it is for. */
export async function selfSign({
  host,
  names,
  days,
  key,
}: Required<Omit<SelfSignedTerms, 'privateKey'>> & { key: KeyObject }): Promise<string> {
  const x509 = await load('x509');
  const { algorithm, keys } = await signerOf(key);
  const usages = x509.KeyUsageFlags;
  // Only an RSA key can encrypt a session's key; what another may not do is not promised.
  const encipherment = key.asymmetricKeyType === 'rsa' ? usages.keyEncipherment : 0;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: `4${randomBytes(16).toString('hex').slice(1)}`,
      name: [...commonName(host), { E: [`keytrustee@${host}`] }],
      notBefore: new Date(Date.now() - DAY / 24),
      notAfter: new Date(Date.now() + days * DAY),
      signingAlgorithm: algorithm,
      keys: keys as never,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(usages.digitalSignature | encipherment, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames(host, names)),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
      ],
    },
    webcrypto as never,
  );
  return `${certificate.toString('pem')}\n`;
}

/** Reads a PEM private key of any form (PKCS #1, PKCS #8, SEC 1). */
function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const isLocked = /ENCRYPTED/.test(pem);
    throw failure('state', isLocked ? 'the key has a password' : 'it holds no private key in PEM form');
  }
}
