import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../core/errors.ts';
import { exists, syncDirectory } from '../core/files.ts';
import { describeKey, type ListedKey, parseListing } from './listing.ts';
import { gpgFailure, type KeyringFiles, withKeyring } from './program.ts';

/** The size of the server's RSA key, as the original product has it. */
const KEY_BITS = 4096;

/** A fingerprint as the original product writes it: `4096R/<40 hex>`. */
export function qualifiedFingerprint(key: { bits: number; fingerprint: string }): string {
  return `${key.bits}R/${key.fingerprint}`;
}

/** The bare 40 hex digits of a qualified fingerprint. */
export function bareFingerprint(qualified: string): string {
  return qualified.slice(qualified.indexOf('/') + 1);
}

/** The secret keys of a keyring. */
async function listSecretKeys(files: KeyringFiles): Promise<ListedKey[]> {
  if (!(await exists(files.publicKeys))) return [];
  return withKeyring(files, async (call) => {
    const answer = await call(['--with-colons', '--fixed-list-mode', '--list-secret-keys']);
    return parseListing(answer.stdout);
  });
}

/** The one secret key of a keyring that is the server's, or undefined where there is none yet. */
export async function findServerKey(files: KeyringFiles, expected?: string): Promise<ListedKey | undefined> {
  const keys = await listSecretKeys(files);
  if (expected !== undefined) {
    return keys.find((key) => key.fingerprint === bareFingerprint(expected));
  }
  if (keys.length > 1) {
    throw failure(
      'conflict',
      `${files.publicKeys} holds several secret keys:\n${keys.map((key) => `  ${describeKey(key)}`).join('\n')}`,
      "name the server's in LOCAL_FINGERPRINT of keytrustee.conf",
    );
  }
  return keys[0];
}

function parameters(owner: string, host: string): string {
  return `%no-protection
Key-Type: RSA
Key-Length: ${KEY_BITS}
Key-Usage: sign,cert
Name-Real: ${owner} ${host}
Name-Email: keytrustee@${host}
Expire-Date: 0
%commit
`;
}

/**
 * Makes the server's OpenPGP key in a staging directory and then moves it to its place, the secret part first, so that a
 * crash never leaves a public key whose secret part is missing.
 */
export async function generateServerKey(
  files: Required<KeyringFiles>,
  staging: string,
  host: string,
  owner = 'Key Trustee Server',
): Promise<ListedKey> {
  const made = { publicKeys: join(staging, 'pubring.kbx'), secretKeys: join(staging, 'private-keys-v1.d') };
  await mkdir(made.secretKeys, { mode: 0o700 });
  const key = await withKeyring(made, async (call) => {
    const generated = await call(['--generate-key'], { input: parameters(owner, host) });
    if (generated.status !== 0) throw gpgFailure(generated);
    const listed = await call(['--with-colons', '--fixed-list-mode', '--list-secret-keys']);
    return parseListing(listed.stdout)[0];
  });
  if (key === undefined) throw failure('failed', 'GnuPG made no key');
  await mkdir(files.secretKeys, { recursive: true, mode: 0o700 });
  for (const name of await readdir(made.secretKeys)) {
    await rename(join(made.secretKeys, name), join(files.secretKeys, name));
  }
  await syncDirectory(files.secretKeys);
  await rename(made.publicKeys, files.publicKeys);
  return key;
}

/** A keyring's public key in ASCII armour, without what others hung on it. */
export async function exportPublicKey(files: KeyringFiles, fingerprint: string): Promise<string> {
  const { publicKeys } = files;
  const options = ['--armor', '--export-options', 'export-minimal', '--export', fingerprint];
  const exported = await withKeyring({ publicKeys }, (call) => call(options));
  if (exported.status !== 0 || exported.stdout === '') throw gpgFailure(exported);
  return exported.stdout;
}
