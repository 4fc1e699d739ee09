import type { ListedKey } from './listing.ts';
import { parseListing } from './listing.ts';
import { gpgFailure, type KeyringFiles, withKeyring } from './program.ts';

/** The keys in the bytes of a keyring of GnuPG 1.x, or of an export. Nothing is imported, and nothing of it is written. */
export async function listKeysIn(keys: Buffer): Promise<ListedKey[]> {
  return withKeyring({ publicKeys: '/dev/null' }, async (call) => {
    const args = ['--with-colons', '--fixed-list-mode', '--import-options', 'show-only', '--import'];
    return parseListing((await call(args, { input: keys })).stdout);
  });
}

/** The keys of a keyring: the public ones, or those whose secret part is there. */
export async function listKeys(files: KeyringFiles, kind: 'public' | 'secret'): Promise<ListedKey[]> {
  return withKeyring(files, async (call) => {
    const answer = await call(['--with-colons', '--fixed-list-mode', `--list-${kind}-keys`]);
    return parseListing(answer.stdout);
  });
}

/** Imports keys into a keyring, which is made where it is missing. What counts is what is in it then. */
export async function importKeys(files: Required<KeyringFiles>, keys: Buffer): Promise<void> {
  await withKeyring(files, async (call) => {
    // GnuPG ends with 2 where it left out one key of many; only a signal is a failure of its own.
    const answer = await call(['--import'], { input: keys });
    if (answer.status === null) throw gpgFailure(answer);
  });
}
