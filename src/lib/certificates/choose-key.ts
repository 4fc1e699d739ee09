import { createPrivateKey, type KeyObject } from 'node:crypto';
import { failure } from '../core/errors.ts';
import { KEY_KINDS, type KeyKind, keyFingerprint, kindOfKey, newPrivateKey } from '../tls/new-key.ts';
import { type PairFiles, readKey } from '../tls/pair.ts';
import { type Pending, pendingFiles, readPending } from './pending.ts';
import { isSpent, refuseInUse } from './spent.ts';

/** Where the certificates of a server lie: the directory for those that are made, and the pair in use. */
export interface CertificatePlace {
  sslDirectory: string;
  inUse: PairFiles;
}

/** Which key is wanted. */
export interface KeyWish {
  /** Of what kind; without one, whichever waits, else a new one of the usual kind. */
  kind: KeyKind | undefined;
  /** The one in use. */
  reuse: boolean;
  /** Whatever waits is given up. */
  discard: boolean;
}

/** The key for which a certificate is asked or made. */
export interface ChosenKey {
  key: KeyObject;
  origin: 'new' | 'pending' | 'in-use';
  /** Where it lies, or will lie once it is kept. */
  path: string;
  /** Whether what waits is removed: somebody wants that, or it is in use already. */
  clear: boolean;
}

/** What is said of a key: nothing of it is secret. */
export interface KeyAccount {
  kind: string;
  /** SHA-256 of its public half. */
  fingerprint: string;
  origin: ChosenKey['origin'];
  path: string;
}

/** Describes a key. */
export function accountOf({ key, origin, path }: Omit<ChosenKey, 'clear'>): KeyAccount {
  return { kind: kindOfKey(key), fingerprint: keyFingerprint(key), origin, path };
}

const DISCARD = '--discard-pending removes it; what an authority makes of its request is of no use then';

/** Opens the key that waits, if there is one. */
export function openPending(path: string, { key }: Pending): KeyObject | undefined {
  if (key === undefined) return undefined;
  if (key.fault !== undefined) throw failure('conflict', key.fault.message, DISCARD);
  try {
    return createPrivateKey(Buffer.from(key.data ?? '', 'base64'));
  } catch {
    throw failure('conflict', `${path} is no private key that can be opened`, DISCARD);
  }
}

/** A key below this is refused by every authority, and by `cert check`; bits. */
const SHORTEST = 2048;

async function keyInUse(inUse: PairFiles): Promise<Omit<ChosenKey, 'clear'>> {
  const key = await readKey(inUse);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? SHORTEST;
  if (bits < SHORTEST)
    throw failure(
      'untrusted',
      `the key in use has only ${bits} bits, and no authority signs that`,
      'leave --reuse-key out, and a new key is made',
    );
  return { key, origin: 'in-use', path: inUse.SSL_PRIVATE_KEY };
}

function refuseOrphan({ key, certificate }: Pending): void {
  if (key !== undefined || certificate === undefined) return;
  throw failure(
    'conflict',
    `${certificate.path} waits already: a self-signed certificate for the key in use`,
    'ktadmin cert rotate --pending puts it to use, and --discard-pending removes it',
  );
}

/** Finds or makes the key that is wanted, and writes nothing. A key that waits is given up only where that is said. */
export async function chooseKey(
  { sslDirectory, inUse }: CertificatePlace,
  { kind, reuse, discard }: KeyWish,
): Promise<ChosenKey> {
  await refuseInUse(sslDirectory, inUse);
  const { key: path } = pendingFiles(sslDirectory);
  const pending = discard || reuse ? {} : await readPending(sslDirectory);
  refuseOrphan(pending);
  const waiting = openPending(path, pending);
  const spent = waiting !== undefined && (await isSpent(waiting, inUse));
  const clear = discard || spent;
  if (reuse) return { ...(await keyInUse(inUse)), clear };
  if (waiting === undefined || spent) {
    const key = createPrivateKey(await newPrivateKey(kind ?? KEY_KINDS[0]));
    return { key, origin: 'new', path, clear };
  }
  const is = kindOfKey(waiting);
  if (kind !== undefined && kind !== is)
    throw failure('conflict', `a key of another kind waits already: ${path} (${is})`, DISCARD);
  return { key: waiting, origin: 'pending', path, clear };
}

/** The public half of the key that is given up, if there is one, for those who still wait for its certificate. */
export async function givenUp(
  { sslDirectory }: CertificatePlace,
  { discard }: KeyWish,
): Promise<{ discarded?: string }> {
  const { key } = discard ? await readPending(sslDirectory) : {};
  if (key === undefined) return {};
  try {
    return { discarded: keyFingerprint(createPrivateKey(Buffer.from(key.data ?? '', 'base64'))) };
  } catch {
    return { discarded: 'unreadable' };
  }
}
