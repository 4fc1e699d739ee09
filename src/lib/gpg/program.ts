import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChildResult, childFailure } from '../core/child-result.ts';
import { failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { type ChildOptions, run, type StreamingChild, stream } from '../core/process.ts';
import { withPrivateHome } from './temporary.ts';

/** Options of every call: no network, no questions, nothing of anybody's personal configuration, output for programs. */
const BASE = [
  '--batch',
  '--no-tty',
  '--no-options',
  '--no-auto-key-locate',
  '--no-auto-key-retrieve',
  '--disable-dirmngr',
  '--no-auto-check-trustdb',
  '--display-charset=utf-8',
  '--quiet',
];

/** Runs GnuPG with a home directory; the result holds whatever it said. */
export async function gpg(home: string, args: string[], options: ChildOptions = {}): Promise<ChildResult> {
  return run('gpg', ['--homedir', home, ...BASE, ...args], options);
}

/** Starts GnuPG on streams. */
export async function startGpg(home: string, args: string[]): Promise<StreamingChild> {
  return stream('gpg', ['--homedir', home, ...BASE, ...args]);
}

/** The error of a GnuPG call, with its last words, as far as they are for people. */
export function gpgFailure(result: ChildResult): Error {
  const words = result.stderr.split('\n').filter((line) => !line.startsWith('[GNUPG:] '));
  return childFailure('gpg', { ...result, stderr: words.join('\n') });
}

/** Where a keyring's files lie: the public keys, and the directory of the secret ones. */
export interface KeyringFiles {
  publicKeys: string;
  secretKeys?: string;
}

/** Calls GnuPG on a keyring. */
export type KeyringCall = (args: string[], options?: ChildOptions) => Promise<ChildResult>;

/**
 * Works with a keyring without using its directory as GnuPG's home: sockets, locks and seeds go into a private temporary
 * home with a short path (hazards GP-10, GP-11, GP-14), which only points at the secret keys and never holds them. The
 * agent that GnuPG started is ended.
 */
export async function withKeyring<T>(
  files: KeyringFiles,
  work: (call: KeyringCall, home: string) => Promise<T>,
): Promise<T> {
  return withPrivateHome(async (home) => {
    if (files.secretKeys !== undefined && (await exists(files.secretKeys))) {
      await symlink(files.secretKeys, join(home, 'private-keys-v1.d'));
    }
    const keyring = ['--no-default-keyring', '--keyring', files.publicKeys, '--trust-model', 'always'];
    return work((args, options) => gpg(home, [...keyring, ...args], options), home);
  });
}

/** Fails when GnuPG is missing or older than 2.2. Returns its version. */
export async function gpgVersion(): Promise<string> {
  const answer = await run('gpg', ['--no-options', '--version']).catch(() => undefined);
  const version = /\(GnuPG[^)]*\) (\d+\.\d+\.\d+)/.exec(answer?.stdout ?? '')?.[1];
  if (version === undefined) {
    throw failure(
      'notFound',
      'GnuPG is not installed',
      'apt-get install gnupg (Debian), dnf install gnupg2 (RHEL)',
    );
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 2)) {
    throw failure('state', `GnuPG ${version} is too old`, 'install GnuPG 2.2 or later');
  }
  return version;
}
