import { confdirFiles } from '../../core/config.ts';
import { failure } from '../../core/errors.ts';
import { lstatOrNothing, makePrivateDirectory, sweep, withStagingDirectory } from '../../core/files.ts';
import { refuseOpenDirectory } from '../../core/ownership.ts';
import type { KeyringFiles } from '../../gpg/program.ts';
import { findServerKey, generateServerKey, qualifiedFingerprint } from '../../gpg/server-key.ts';

const STAGING = '.init-';

/** The key that signs this host's sets. */
export interface SigningKey {
  files: Required<KeyringFiles>;
  /** `4096R/` and 40 hex digits. */
  fingerprint: string;
  /** Whether it was made just now. */
  isNew: boolean;
}

/** Fails where a directory is not this account's own, or open to others. */
async function checkHome(home: string): Promise<void> {
  const stats = await lstatOrNothing(home);
  if (stats?.isDirectory() !== true) throw failure('conflict', `${home} is not a directory`);
  if (stats.uid !== process.getuid?.())
    throw failure('permission', `${home} belongs to somebody else`, 'give a --signing-home of your own');
  refuseOpenDirectory(home, stats);
}

/** Makes the directory of the signing key where it is missing. */
export async function prepareSigningHome(home: string): Promise<void> {
  await makePrivateDirectory(home);
  await checkHome(home);
}

const filesIn = (home: string) => {
  const { publicKeys, secretKeys } = confdirFiles(home);
  return { publicKeys, secretKeys };
};

/** The fingerprint of this host's signing key; undefined where there is none (yet, or any more). */
export async function signingFingerprint(home: string): Promise<string | undefined> {
  if ((await lstatOrNothing(home)) === undefined) return undefined;
  await checkHome(home);
  const key = await findServerKey(filesIn(home));
  return key === undefined ? undefined : qualifiedFingerprint(key);
}

/** The key that signs this host's sets, made where there is none. Only one run at a time may call it. */
export async function signingKey(home: string, host: string): Promise<SigningKey> {
  const files = filesIn(home);
  await sweep(home, STAGING);
  const found = await findServerKey(files);
  const key =
    found ??
    (await withStagingDirectory(home, STAGING, (staging) =>
      generateServerKey(files, staging, host, 'Key Trustee backups of'),
    ));
  return { files, fingerprint: qualifiedFingerprint(key), isNew: found === undefined };
}
