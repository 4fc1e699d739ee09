import {
  type AnyPacket,
  type Config,
  config,
  enums,
  type PublicKey,
  readKeys,
  SignaturePacket,
} from 'openpgp';

/** A key that is not taken, and why; told to whoever sent it. */
export class KeyRefused extends Error {
  override name = 'KeyRefused';
}

const RSA_BITS = { minimum: 2048, maximum: 8192 };
/** How many subkeys, user ids and signatures a key may have: each costs time to check. */
const PARTS = { subkeys: 8, users: 8, signatures: 32 };
const STRONG = /^(?:ecdsa|ecdh|eddsaLegacy|ed25519|x25519|ed448|x448)$/;

const PRIVATE = 'it is a private key, which must never leave its owner';

/**
 * Keys are looked at with these settings, whatever a later version of the library takes for safe. SHA-1 can be forged:
 * somebody could hang a subkey of his own on the key.
 */
export const KEY_SETTINGS: Config = {
  ...config,
  minRSABits: RSA_BITS.minimum,
  allowMissingKeyFlags: false,
  rejectHashAlgorithms: new Set([...config.rejectHashAlgorithms, enums.hash.sha1]),
};

const isSignature = (packet: AnyPacket) => packet instanceof SignaturePacket;

function checkParts(key: PublicKey): void {
  const { subkeys, users } = key;
  const signatures = key.toPacketList().filter(isSignature).length;
  if (subkeys.length > PARTS.subkeys || users.length > PARTS.users || signatures > PARTS.signatures)
    throw new KeyRefused('it has too many subkeys, user ids or signatures');
}

/** A weak primary key is refused although its subkeys are strong: whoever breaks it makes subkeys of his own. */
function checkAlgorithms(key: PublicKey): void {
  for (const part of key.getKeys()) {
    const { algorithm, bits = 0 } = part.getAlgorithmInfo();
    const isRsa = algorithm.startsWith('rsa');
    if (isRsa && (bits < RSA_BITS.minimum || bits > RSA_BITS.maximum))
      throw new KeyRefused(`RSA needs ${RSA_BITS.minimum} to ${RSA_BITS.maximum} bits`);
    if (!isRsa && !STRONG.test(algorithm)) throw new KeyRefused(`${algorithm} is too weak`);
  }
}

/**
 * Reads armour that must hold one strong public key, neither expired nor revoked. The order is that of cost: nothing is
 * computed with a key before its size is known to be bearable. Runs in the thread of `key-worker.ts` only.
 */
export async function readStrongKey(armour: string): Promise<PublicKey> {
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY/.test(armour)) throw new KeyRefused(PRIVATE);
  const blocks = armour.split('-----BEGIN PGP').length - 1;
  const keys = await readKeys({ armoredKeys: armour, config: KEY_SETTINGS }).catch(() => []);
  const [key] = keys;
  if (key === undefined) throw new KeyRefused('it is not the armour of an OpenPGP public key');
  if (keys.length > 1 || blocks > 1) throw new KeyRefused('it holds more than one key');
  if (key.isPrivate()) throw new KeyRefused(PRIVATE);
  if (!/^[0-9a-f]{40}$/.test(key.getFingerprint())) throw new KeyRefused('it is not of version 4');
  checkParts(key);
  checkAlgorithms(key);
  await key.verifyPrimaryKey(new Date(), undefined, KEY_SETTINGS).catch(() => {
    throw new KeyRefused(
      'it is expired, revoked, not signed by itself, or made in the future (is the clock right?)',
    );
  });
  return key;
}
