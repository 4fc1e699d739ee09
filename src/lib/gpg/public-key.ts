import {
  type Config,
  config,
  enums,
  type Key,
  type PublicKey as OpenKey,
  type PrivateKey,
  readKeys,
  type Subkey,
  type User,
} from 'openpgp';
import type { KeyFault } from './key-fault.ts';
import { extractKey } from './key-text.ts';

/** An OpenPGP public key to which can be encrypted now. */
export interface PublicKey {
  /** 40 hex digits, in capitals. */
  fingerprint: string;
  /** Algorithm and size: `RSA, 4096 bits`, `Ed25519`; that of the part to which is encrypted stands beside it. */
  algorithm: string;
  encryption: string;
  /** The user ids that the key itself has signed, the first one first. */
  userIds: string[];
  created: Date;
  /** Until when it can be encrypted to; undefined: for ever. */
  expires: Date | undefined;
  /** The key in ASCII armour: what it has signed itself, and nothing that others hung on it. */
  armored: string;
}

/** A checked key, or why there is none. */
export type KeyCheck = { key: PublicKey } | { fault: KeyFault };

const NAMES: Record<string, string> = {
  ed25519Legacy: 'Ed25519',
  curve25519Legacy: 'Curve25519',
  ed25519: 'Ed25519',
  ed448: 'Ed448',
  x25519: 'X25519',
  x448: 'X448',
};

function algorithmOf(part: Key | Subkey): string {
  const { algorithm, bits, curve } = part.getAlgorithmInfo();
  if (bits !== undefined) return `RSA, ${bits} bits`;
  const name = curve ?? algorithm;
  return NAMES[name] ?? name.replace(/^nistP/, 'NIST P-').replace(/^brainpoolP/, 'Brainpool P-');
}

/** Whether a part is of a kind that is safe today: RSA of 2048 bits, or a curve (OP-8, OP-10). */
function isStrong(part: Key | Subkey): boolean {
  const { algorithm, bits } = part.getAlgorithmInfo();
  if (algorithm.startsWith('rsa')) return (bits ?? 0) >= 2048;
  return algorithm !== 'dsa' && algorithm !== 'elgamal';
}

/** SHA-1 can be forged: whoever relies on it could be given another key's user id or subkey. */
const withoutSha1 = (): Config => ({
  ...config,
  rejectHashAlgorithms: new Set([...config.rejectHashAlgorithms, enums.hash.sha1]),
});

/** Takes away user ids that the key has not signed itself: they could say anything. */
async function strip(key: OpenKey, strict: Config): Promise<void> {
  const own: User[] = [];
  for (const user of key.users) {
    const isOwn = user.userID !== null && (await user.verify(undefined, strict).catch(() => false));
    if (isOwn === true) own.push(user);
  }
  key.users = own;
}

async function endOf(key: OpenKey, part: Key | Subkey, strict: Config): Promise<Date | undefined> {
  const ends = [await key.getExpirationTime(undefined, strict)];
  if ('mainKey' in part) ends.push(await part.getExpirationTime(undefined, strict));
  const times = ends.map((end) => (end === null ? 0 : Number(end)));
  const end = Math.min(...times);
  return end === Number.POSITIVE_INFINITY ? undefined : new Date(end);
}

async function describe(key: OpenKey, part: Key | Subkey, strict: Config): Promise<PublicKey> {
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    algorithm: algorithmOf(key),
    encryption: algorithmOf(part),
    userIds: key.getUserIDs(),
    created: key.getCreationTime(),
    expires: await endOf(key, part, strict),
    armored: key.armor(),
  };
}

/** How many parts a key may have that cost time to check. */
const PARTS = { subkeys: 32, users: 64, signatures: 256 };

/** Takes away what others hung on a key, and tells whether it is still too much, or too large, to be computed with. */
function isCrowded(key: OpenKey): boolean {
  for (const user of key.users) user.otherCertifications = [];
  const { subkeys, users } = key;
  const signatures = key.toPacketList().length - subkeys.length - users.length - 1;
  if (subkeys.length > PARTS.subkeys || users.length > PARTS.users || signatures > PARTS.signatures)
    return true;
  return key.getKeys().some((part) => (part.getAlgorithmInfo().bits ?? 0) > 8192);
}

/** Judges one public key as the library read it. Nothing is computed with it before its size is known to be bearable. */
async function judge(key: OpenKey): Promise<KeyCheck> {
  if (key.keyPacket.version !== 4) return { fault: 'version' };
  if (isCrowded(key)) return { fault: 'crowded' };
  if (!isStrong(key)) return { fault: 'weak' };
  if (await key.isRevoked().catch(() => true)) return { fault: 'revoked' };
  const end = await key.getExpirationTime().catch(() => null);
  if (end !== null && Number(end) <= Date.now()) return { fault: 'expired' };
  const lenient = await key.getEncryptionKey().catch(() => undefined);
  if (lenient === undefined || !isStrong(lenient)) {
    return { fault: key.getSubkeys().every(isStrong) ? 'useless' : 'weak' };
  }
  const strict = withoutSha1();
  const part = await key.getEncryptionKey(undefined, undefined, undefined, strict).catch(() => undefined);
  if (part === undefined) return { fault: 'sha1' };
  await strip(key, strict);
  return { key: await describe(key, part, strict) };
}

function read(found: string | Uint8Array): Promise<(OpenKey | PrivateKey)[]> {
  return typeof found === 'string' ? readKeys({ armoredKeys: found }) : readKeys({ binaryKeys: found });
}

/**
 * Checks what somebody gave as his public key: armoured text, pasted or as a file, or binary. It must be one key, be
 * public, valid now, safe, and able to encrypt. Nothing of a private key is kept or repeated anywhere (OP-9). At most
 * 64 KiB are looked at, which bounds what a hostile key can cost (HS-7). Runs in the thread of `key-worker.ts` only.
 */
export async function checkPublicKey(given: string | Uint8Array): Promise<KeyCheck> {
  const found = extractKey(given);
  if ('fault' in found) return found;
  let keys: (OpenKey | PrivateKey)[];
  try {
    keys = await read(found.key);
  } catch {
    return { fault: 'unreadable' };
  }
  if (keys.some((key) => key.isPrivate())) return { fault: 'private' };
  const [key] = keys;
  if (key === undefined) return { fault: 'empty' };
  return keys.length === 1 ? judge(key) : { fault: 'several' };
}
