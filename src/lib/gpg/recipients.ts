import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { describeKey, type ListedKey, parseListing, unusableReason, usableUntil } from './listing.ts';
import { gpg, gpgFailure } from './program.ts';

/** Somebody who will be able to read a backup set. */
export interface Recipient {
  fingerprint: string;
  userId: string;
  expires: Date | undefined;
  /** The key itself, binary, so that nothing but what was found is used. */
  key: Uint8Array;
}

/** The keys of a keyring that a recipient's name fits, usable or not. */
export async function findKeys(home: string, name: string): Promise<ListedKey[]> {
  const answer = await gpg(home, ['--with-colons', '--fixed-list-mode', '--list-keys', '--', name]);
  const keys = parseListing(answer.stdout);
  // GnuPG's status is the same when it finds nothing and when it cannot look.
  const failed = answer.status !== 0 && !/No public key|Not found|No such file/i.test(answer.stderr);
  if (keys.length === 0 && failed) throw gpgFailure(answer);
  return keys;
}

function refuse(name: string, home: string, keys: ListedKey[]): Error {
  if (keys.length === 0) {
    return failure(
      'notFound',
      `no key for recipient ${JSON.stringify(name)} in ${home}`,
      `as the service account: gpg --homedir ${home} --import FILE`,
    );
  }
  const [only] = keys;
  if (keys.length === 1 && only !== undefined) {
    return failure(
      'failed',
      `the key of recipient ${JSON.stringify(name)} ${unusableReason(only)}: ${describeKey(only)}`,
      'import a current key of this recipient',
    );
  }
  const lines = keys.map((key) => `  ${describeKey(key)}${withReason(key)}`);
  return failure(
    'conflict',
    `recipient ${JSON.stringify(name)} fits several keys:\n${lines.join('\n')}`,
    'give the fingerprint of the one that is meant',
  );
}

function withReason(key: ListedKey): string {
  const reason = unusableReason(key);
  return reason === undefined ? '' : ` (${reason})`;
}

/**
 * Resolves what was given as `--gpg-recipient` (name, mail, key id or fingerprint) to exactly one key of a keyring, and
 * fetches it. GnuPG itself would silently take the first of several, or ask the network (hazards GP-1 to GP-4).
 */
export async function resolveRecipient(home: string, name: string): Promise<Recipient> {
  const keys = await findKeys(home, name);
  const usable = keys.filter((key) => unusableReason(key) === undefined);
  const [chosen] = usable;
  if (chosen === undefined || usable.length > 1) throw refuse(name, home, usable.length > 1 ? usable : keys);
  const { fingerprint, userIds } = chosen;
  const expires = usableUntil(chosen);
  return { fingerprint, userId: userIds[0] ?? '', expires, key: await exportKey(home, chosen) };
}

/** Fetches a key, and tries whether it can be encrypted to: the library refuses some that GnuPG would take. */
async function exportKey(home: string, key: ListedKey): Promise<Uint8Array> {
  const options = ['--armor', '--export-options', 'export-minimal', '--export'];
  const exported = await gpg(home, [...options, '--', key.fingerprint]);
  if (exported.status !== 0 || exported.stdout === '') throw gpgFailure(exported);
  const { readKey } = await load('openpgp');
  try {
    const read = await readKey({ armoredKey: exported.stdout });
    await read.getEncryptionKey();
    return read.write();
  } catch (error) {
    throw failure(
      'failed',
      `the key of recipient ${describeKey(key)} cannot be encrypted to: ${(error as Error).message.split('\n')[0]}`,
      'import a current key of this recipient',
      error,
    );
  }
}
