import type { KeyObject, X509Certificate } from 'node:crypto';
import { detailsOf } from './details.ts';
import type { Fault } from './fault.ts';
import { isSelfSigned } from './trust.ts';
import { callIt, type Words } from './words.ts';

/** The curves that clients know, by OpenSSL's names. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
const SHORTEST_RSA = 2048;
const SHORTEST_CURVE = 224;
const NEW_KEY =
  'make a request with a new key: ktadmin cert request --new-key p256, or rsa2048 for old clients';
const OTHER_AUTHORITY = 'have the certificate issued by an authority with RSA 2048 or P-256, or longer keys';
const OTHER_DIGEST = 'have the certificate issued by an authority that is itself signed with SHA-256';
const NEW_SIGNATURE =
  'have it issued again with SHA-256 as digest: ktadmin cert request writes such a request';

function weaknessOfCurve(curve = ''): string | undefined {
  if (CURVES.includes(curve)) return undefined;
  const bits = Number(/\d{3}/.exec(curve)?.[0]);
  if (bits < SHORTEST_CURVE) return `has ${bits} bits, and ${SHORTEST_CURVE} are the least (${curve})`;
  return curve === '' ? 'names no curve' : `is on the curve ${curve}, which clients do not know`;
}

/** Why clients refuse a key; undefined where they do not. */
function weaknessOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): string | undefined {
  if (type === 'ed25519' || type === 'ed448') return undefined;
  if (type === 'ec') return weaknessOfCurve(details?.namedCurve);
  if (type !== 'rsa' && type !== 'rsa-pss') return `is of the type ${type}, which TLS does not speak`;
  const bits = details?.modulusLength ?? 0;
  return bits < SHORTEST_RSA ? `has ${bits} bits, and ${SHORTEST_RSA} are the least` : undefined;
}

function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
}

/** Keys of a chain that are too weak, or of a kind that clients do not know. */
export function judgeKeys(chain: X509Certificate[], words: Words): Fault[] {
  return chain.flatMap((certificate, place): Fault[] => {
    const key = publicKeyOf(certificate);
    const weakness = key === undefined ? 'is of a type that is not known here' : weaknessOf(key);
    if (weakness === undefined) return [];
    const message = `the key of ${callIt(certificate, place, words)} ${weakness}`;
    return [{ code: 'weak-key', message, hint: place === 0 ? NEW_KEY : OTHER_AUTHORITY }];
  });
}

/** A kind of key that servers speak and many clients do not. */
export function judgeKind([own]: X509Certificate[], words: Words): Fault[] {
  const type = own === undefined ? undefined : publicKeyOf(own)?.asymmetricKeyType;
  if (type !== 'ed25519' && type !== 'ed448') return [];
  const message = `the key of ${words.certificate} is of the type ${type}, which browsers and older clients do not know`;
  return [{ code: 'weak-key', message, hint: NEW_KEY }];
}

/** Signatures whose digest is broken. Nobody looks at the one by which an authority signed itself. */
export function judgeSignatures(chain: X509Certificate[], words: Words): Fault[] {
  return chain.flatMap((certificate, place): Fault[] => {
    const { weakDigest } = detailsOf(certificate);
    if (weakDigest === undefined || (place > 0 && isSelfSigned(certificate))) return [];
    const message = `${callIt(certificate, place, words)} is signed with ${weakDigest}, which is broken`;
    return [{ code: 'weak-signature', message, hint: place === 0 ? NEW_SIGNATURE : OTHER_DIGEST }];
  });
}
