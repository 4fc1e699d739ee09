import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { failure } from '../core/errors.ts';
import { openUnnamed, writeAll } from '../core/files.ts';
import { DUMP_WINDOW as WINDOW } from '../database/dump.ts';

/** Bytes that were put aside: how many, their start and end, and the way back to them. */
export interface Spool {
  size: number;
  start: Buffer;
  end: Buffer;
  content(): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

/**
 * Puts a stream aside whose size must be known before it can go into an archive (hazard TA-14), without its bytes lying on
 * a disk in clear: the file has no name, and is encrypted (AES-256-CTR) by a key that only this process's memory holds.
 */
export async function spoolEncrypted(source: AsyncIterable<Buffer>, directory: string): Promise<Spool> {
  const handle = await openUnnamed(directory);
  const key = randomBytes(32);
  const iv = randomBytes(16);
  try {
    const cipher = createCipheriv('aes-256-ctr', key, iv);
    let size = 0;
    let start: Buffer = Buffer.alloc(0);
    let end: Buffer = Buffer.alloc(0);
    for await (const chunk of source) {
      if (start.length < WINDOW) start = Buffer.concat([start, chunk.subarray(0, WINDOW)]);
      end = Buffer.concat([end, chunk]).subarray(-WINDOW);
      size = await writeAll(handle, cipher.update(chunk), size);
    }
    const close = async () => {
      key.fill(0);
      await handle.close();
    };
    return { size, start, end, content: () => decrypted(handle, size, key, iv), close };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function* decrypted(handle: FileHandle, size: number, key: Buffer, iv: Buffer): AsyncGenerator<Buffer> {
  const decipher = createDecipheriv('aes-256-ctr', key, iv);
  for (let position = 0; position < size; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(65_536), 0, 65_536, position);
    if (bytesRead === 0) throw failure('failed', 'the database dump could not be read back');
    position += bytesRead;
    yield decipher.update(buffer.subarray(0, bytesRead));
  }
}
