import type { FileHandle } from 'node:fs/promises';
import type { Account } from '../../core/account.ts';
import { openUnnamed, writeAll } from '../../core/files.ts';

const PIECE = 1 << 20;

/**
 * Lends an archive as an open file that an account may open again: a copy without a name, given to the account. The
 * original may be a file that only the caller can read, and stays as it is.
 */
export async function withOwnedCopy<T>(
  archive: FileHandle,
  directory: string,
  account: Account,
  work: (descriptor: number) => Promise<T>,
): Promise<T> {
  const copy = await openUnnamed(directory);
  try {
    let position = 0;
    for (;;) {
      const { buffer, bytesRead } = await archive.read(Buffer.alloc(PIECE), 0, PIECE, position);
      if (bytesRead === 0) break;
      position = await writeAll(copy, buffer.subarray(0, bytesRead), position);
    }
    await copy.chown(account.uid, account.gid);
    return await work(copy.fd);
  } finally {
    await copy.close();
  }
}
