import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { checkInterruption } from './interrupt.ts';

const PIECE = 1024 * 1024;

/** SHA-256 of an open file from its beginning to its end, and how many bytes that were. */
export async function digestOf(handle: FileHandle): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(PIECE);
  for (let size = 0; ; ) {
    checkInterruption();
    const { bytesRead } = await handle.read(piece, 0, PIECE, size);
    if (bytesRead === 0) return { size, sha256: hash.digest('hex') };
    hash.update(piece.subarray(0, bytesRead));
    size += bytesRead;
  }
}
