import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readSmallMember } from '../../archive/read.ts';
import { confdirFiles } from '../../core/config.ts';
import { failure } from '../../core/errors.ts';
import { importKeys, listKeys, listKeysIn } from '../../gpg/import.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import type { UnsignedFiles } from './set.ts';

/** The keyrings of GnuPG before 2.1; the secret one first, so that a secret key is never without its public part. */
const OLD_KEYRINGS = ['secring.gpg', 'pubring.gpg'];

/** What else GnuPG 1.x keeps. It would hide the new keyrings, or mean nothing to them (hazards GP-12, GP-13). */
const OLD_FILES = [...OLD_KEYRINGS, 'pubring.gpg~', 'trustdb.gpg', '.gpg-v21-migrated'];

/** Never kept: a seed is used once, and sockets and locks are no files of anybody's. */
const DROPPED = /^(?:random_seed|S\..*|\.#lk.*|.*\.lock)$/;

/** Where the old keyrings are kept, beside the new ones. */
export const OLD_PLACE = 'gnupg-1.x';

async function keyring(set: UnsignedFiles, name: string): Promise<Buffer> {
  const member = set.files.get(name);
  return member === undefined ? Buffer.alloc(0) : readSmallMember(set.handle, member);
}

/** Whether keys have to be brought into the form of GnuPG 2.1. */
export function hasOldKeys(set: UnsignedFiles): boolean {
  return OLD_KEYRINGS.some((name) => set.files.has(name));
}

/** Where a file of the set's configuration goes; undefined for what is left out. */
export function placeOf(set: UnsignedFiles, path: string): string | undefined {
  if (DROPPED.test(path)) return undefined;
  return hasOldKeys(set) && OLD_FILES.includes(path) ? join(OLD_PLACE, path) : path;
}

/** Finds the server's secret key in the set without unpacking it. Keys of GnuPG 2.1 show only once they are restored. */
export async function checkKeys(set: UnsignedFiles): Promise<string> {
  const hasNewKeys = [...set.files.keys()].some((path) => path.startsWith('private-keys-v1.d/'));
  const secret = await listKeysIn(await keyring(set, 'secring.gpg'));
  if (secret.some((key) => key.fingerprint === bareFingerprint(set.fingerprint)))
    return `the secret key of ${set.fingerprint} is among them`;
  if (hasNewKeys) return 'its keys of GnuPG 2.1 were not tried';
  throw failure(
    'untrusted',
    `the set is not whole: it lacks the secret key of ${set.fingerprint}`,
    'use another backup set',
  );
}

/**
 * Brings the old keyrings of a set into a new configuration directory in the form of GnuPG 2.1: a fresh keyring, and every
 * key that GnuPG reads in the old ones must be in it then.
 */
export async function migrateKeys(set: UnsignedFiles, directory: string): Promise<void> {
  const { publicKeys, secretKeys } = confdirFiles(directory);
  const files = { publicKeys, secretKeys };
  await mkdir(secretKeys, { recursive: true, mode: 0o700 });
  for (const name of OLD_KEYRINGS) {
    const keys = await keyring(set, name);
    if (keys.length === 0) continue;
    await importKeys(files, keys);
    const there = new Set((await listKeys(files, 'public')).map((key) => key.fingerprint));
    const missing = (await listKeysIn(keys)).filter((key) => !there.has(key.fingerprint));
    if (missing.length === 0) continue;
    const names = missing.map((key) => key.fingerprint).join(', ');
    throw failure('failed', `GnuPG did not take over ${names} from ${name}`);
  }
}
