import { createHash } from 'node:crypto';
import { type FileHandle, link, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../core/digest.ts';
import { errorCode, failure } from '../core/errors.ts';
import { createExclusively, exists, syncDirectory, writeAll } from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { type SetHost, setStem } from './name.ts';
import { RECEIPT_ENDING } from './receipt.ts';

/** A file's content: bytes, and their SHA-256. */
interface Written {
  size: number;
  sha256: string;
}

/** How much is written at a time, bytes. */
const PIECE = 1024 * 1024;

/** Collects small pieces into large ones, which all share one memory: each is valid until the next one is asked for. */
async function* collected(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const memory = Buffer.allocUnsafeSlow(PIECE);
  let filled = 0;
  for await (const chunk of content) {
    for (let offset = 0; offset < chunk.length; ) {
      const copied = chunk.copy(memory, filled, offset);
      filled += copied;
      offset += copied;
      if (filled < PIECE) continue;
      yield memory;
      filled = 0;
    }
  }
  yield memory.subarray(0, filled);
}

async function writeAndReadBack(handle: FileHandle, content: AsyncIterable<Buffer>): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of collected(content)) {
    checkInterruption();
    hash.update(piece);
    size = await writeAll(handle, piece, size);
  }
  await handle.sync();
  const sha256 = hash.digest('hex');
  const found = await digestOf(handle);
  if (found.size !== size || found.sha256 !== sha256)
    throw failure('failed', 'the backup set read back from the disk is not what was written');
  return found;
}

/** The name that a new set gets, without its ending: no set has it, nor one that another run is writing. */
export async function chooseStem(directory: string, host: SetHost, created: Date): Promise<string> {
  for (let number = 0; number < 1000; number += 1) {
    const stem = setStem(host, created, number);
    const endings = ['', '.part', RECEIPT_ENDING].flatMap((end) => [`.tar${end}`, `.tar.gpg${end}`]);
    const taken = await Promise.all(endings.map((ending) => exists(join(directory, stem + ending))));
    if (!taken.includes(true)) return stem;
  }
  throw failure('conflict', `${directory} holds a thousand sets of this second`);
}

async function publish(part: string, path: string): Promise<void> {
  try {
    await link(part, path);
    await unlink(part);
  } catch (error) {
    // Some file systems have no hard links; there the name was looked at just before.
    const unlinkable = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].includes(errorCode(error) ?? '');
    if (errorCode(error) === 'EEXIST' || (unlinkable && (await exists(path))))
      throw failure('conflict', `${path} exists already`, 'run the backup again');
    if (!unlinkable) throw error;
    await rename(part, path);
  }
}

/**
 * Writes a set beside its final name and publishes it when it is complete, on disk and read back: a final name means
 * complete. Before it gets that name, `prove` writes its receipt. Whatever happens before leaves nothing with a final name.
 */
export async function publishSet(
  directory: string,
  name: string,
  content: AsyncIterable<Buffer>,
  prove: (written: Written) => Promise<string>,
): Promise<{ path: string; size: number }> {
  const path = join(directory, name);
  const part = `${path}.part`;
  const handle = await createExclusively(part);
  let receipt: string | undefined;
  let written: Written;
  try {
    try {
      written = await writeAndReadBack(handle, content);
    } finally {
      await handle.close();
    }
    receipt = await prove(written);
    reached('backup-receipt-written');
    checkInterruption();
    await publish(part, path);
  } catch (error) {
    if (receipt !== undefined) await rm(receipt, { force: true });
    await rm(part, { force: true });
    throw error;
  }
  await syncDirectory(directory);
  reached('backup-published');
  return { path, size: written.size };
}
