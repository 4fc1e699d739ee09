import { createPrivateKey, generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';

/** A certificate and its private key, both PEM. */
export interface CertificatePair {
  certificate: string;
  privateKey: string;
}

/** Ten years, as the original product has it. */
const DAYS = 3650;
const DAY = 86_400_000;
const RENEW = 'put its certificate beside it, or move the key away so that both are made anew';
const ALGORITHM = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

/**
 * Makes a self-signed certificate for a host: RSA 2048, ten years, with the host as subject and as subject alternative
 * name (which the original product left out, and today's clients ask for). An RSA key that is there already can be given.
 */
export async function selfSignedCertificate(
  host: string,
  privateKey = newPrivateKey(),
): Promise<CertificatePair> {
  const x509 = await load('x509');
  const keys = await importPair(privateKey);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: `4${randomBytes(16).toString('hex').slice(1)}`,
      name: subject(host),
      notBefore: new Date(Date.now() - DAY / 24),
      notAfter: new Date(Date.now() + DAYS * DAY),
      signingAlgorithm: ALGORITHM,
      keys: keys as never,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
          true,
        ),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: isIP(host) ? 'ip' : 'dns', value: host }]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
      ],
    },
    webcrypto as never,
  );
  return { certificate: `${certificate.toString('pem')}\n`, privateKey };
}

/** The longest common name (RFC 5280, upper bounds); a longer host stands in the alternative name alone. */
const LONGEST_COMMON_NAME = 64;

function subject(host: string) {
  const mail = { E: [`keytrustee@${host}`] };
  return host.length > LONGEST_COMMON_NAME ? [mail] : [{ CN: [host] }, mail];
}

function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}

/** Reads a PEM private key of any form (PKCS #1, PKCS #8). Only RSA keys can sign here. */
function readPrivateKey(pem: string): Buffer {
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(pem);
  } catch {
    const isLocked = /ENCRYPTED/.test(pem);
    throw failure(
      'state',
      isLocked ? 'the key has a password' : 'it holds no private key in PEM form',
      RENEW,
    );
  }
  const type = key.asymmetricKeyType;
  if (type !== 'rsa') throw failure('state', `the key is of type ${type}, not RSA`, RENEW);
  return key.export({ type: 'pkcs8', format: 'der' });
}

async function importPair(pem: string) {
  const der = readPrivateKey(pem);
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
  const { kty, n, e } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const jwk = { kty, n, e } as webcrypto.JsonWebKey;
  const publicKey = await webcrypto.subtle.importKey('jwk', jwk, ALGORITHM, true, ['verify']);
  return { privateKey, publicKey };
}
