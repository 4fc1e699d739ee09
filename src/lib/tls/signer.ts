import { type KeyObject, webcrypto } from 'node:crypto';
import { failure } from '../core/errors.ts';
import { kindOfKey } from './new-key.ts';

/** How a key signs a certificate or a request. */
export interface Signer {
  algorithm: { name: string; hash: string; namedCurve?: string };
  keys: { privateKey: webcrypto.CryptoKey; publicKey: webcrypto.CryptoKey };
}

const CURVES: Record<string, [namedCurve: string, hash: string]> = {
  prime256v1: ['P-256', 'SHA-256'],
  secp384r1: ['P-384', 'SHA-384'],
  secp521r1: ['P-521', 'SHA-512'],
};

function algorithmOf(key: KeyObject): Signer['algorithm'] {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (key.asymmetricKeyType === 'ec' && curve !== undefined)
    return { name: 'ECDSA', namedCurve: curve[0], hash: curve[1] };
  throw failure(
    'state',
    `the key is of type ${kindOfKey(key)}: neither RSA nor P-256, P-384 or P-521`,
    'take a new key: one of rsa2048, rsa4096, p256, p384',
  );
}

/** Makes a private key ready to sign with. RSA keys, and those of the three curves that every client knows. */
export async function signerOf(key: KeyObject): Promise<Signer> {
  const algorithm = algorithmOf(key);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
  const { kty, n, e, crv, x, y } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const jwk = (kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y }) as webcrypto.JsonWebKey;
  const publicKey = await webcrypto.subtle.importKey('jwk', jwk, algorithm, true, ['verify']);
  return { algorithm, keys: { privateKey, publicKey } };
}
