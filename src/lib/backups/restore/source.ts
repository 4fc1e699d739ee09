import { type FileHandle, open } from 'node:fs/promises';
import type { Reporter } from '../../core/reporter.ts';
import { reached } from '../../core/steps.ts';
import { openZipPair, type ZipPair } from '../original/zip-pair.ts';
import { readContents, type SetContents } from './contents.ts';
import { openSet } from './open-set.ts';

/** Where a set is, and how its recipient's key is reached. */
export interface RestoreSource {
  file: string;
  near: string;
  gnupgHome: string | undefined;
  home: string;
  passphraseFile: string | undefined;
  interactive: boolean;
  /** The manual's two zip files, in place of `file`. */
  zips?: ZipPair | undefined;
}

/**
 * Decrypts a set as the caller and lends a reader that verifies it. Between the two, the work may become another account:
 * the archive in clear is an open file without a name, which needs no permission any more.
 */
export async function withRestoreSource<T>(
  source: RestoreSource,
  reporter: Reporter,
  work: (read: () => Promise<SetContents>, archive: FileHandle) => Promise<T>,
): Promise<T> {
  const passphrase = source.passphraseFile === undefined ? undefined : await open(source.passphraseFile, 'r');
  try {
    const decrypt = () =>
      source.zips === undefined
        ? openSet(source.file, source.near, { ...source, passphrase })
        : openZipPair(source.zips, source.near);
    // A spinner would be drawn over the question for a passphrase.
    const archive =
      source.interactive && passphrase === undefined
        ? await decrypt()
        : await reporter.step('decrypting', decrypt);
    reached('restore-decrypted');
    const read = () => reporter.step('verifying the set', () => readContents(archive));
    try {
      return await work(read, archive);
    } finally {
      await archive.close();
    }
  } finally {
    await passphrase?.close();
  }
}
