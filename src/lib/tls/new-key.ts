import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

/** The kinds of keys that are made; the first is the original product's. */
export const KEY_KINDS = ['rsa2048', 'rsa4096', 'p256', 'p384'] as const;

/** The kind of a key that is made. */
export type KeyKind = (typeof KEY_KINDS)[number];

const generate = promisify(generateKeyPair);

const CURVES = { p256: 'prime256v1', p384: 'secp384r1' } as const;

async function generateKey(kind: KeyKind): Promise<KeyObject> {
  if (kind === 'rsa2048' || kind === 'rsa4096')
    return (await generate('rsa', { modulusLength: kind === 'rsa2048' ? 2048 : 4096 })).privateKey;
  return (await generate('ec', { namedCurve: CURVES[kind] })).privateKey;
}

/** Makes a private key: PEM, PKCS #8, without a password. */
export async function newPrivateKey(kind: KeyKind): Promise<string> {
  return (await generateKey(kind)).export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** What a key is, in a word: `rsa2048`, `p256`, and like these where this program would not have made it (`rsa3072`). */
export function kindOfKey({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string {
  if (type === 'rsa') return `rsa${details?.modulusLength}`;
  if (type !== 'ec') return `${type}`;
  const [kind] = Object.entries(CURVES).find(([, curve]) => curve === details?.namedCurve) ?? [];
  return kind ?? `${details?.namedCurve}`;
}

/** By which a key is recognized, whoever holds it: SHA-256 of its public half (SubjectPublicKeyInfo, DER), in hex. */
export function keyFingerprint(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(half.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
