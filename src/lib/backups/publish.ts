import { createHash } from 'node:crypto';
import { type FileHandle, link, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
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

/** How much is brought to the disk, and read back, while more is still being written; bytes. */
const STRETCH = 32 * PIECE;

/** Collects small pieces into large ones; two share their memory by turns, so that one is filled while the other is written. */
async function* collected(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let [memory, other] = [Buffer.allocUnsafeSlow(PIECE), Buffer.allocUnsafeSlow(PIECE)];
  let filled = 0;
  for await (const chunk of content) {
    for (let offset = 0; offset < chunk.length; ) {
      const copied = chunk.copy(memory, filled, offset);
      filled += copied;
      offset += copied;
      if (filled < PIECE) continue;
      yield memory;
      [memory, other] = [other, memory];
      filled = 0;
    }
  }
  yield memory.subarray(0, filled);
}

/** Reads a file behind its writer, from the disk as far as that is known, and takes the digest of what is there. */
function startReadBack(handle: FileHandle) {
  const hash = createHash('sha256');
  const memory = Buffer.allocUnsafeSlow(PIECE);
  let size = 0;
  const readTo = async (end: number) => {
    while (size < end) {
      const { bytesRead } = await handle.read(memory, 0, Math.min(PIECE, end - size), size);
      if (bytesRead === 0) throw failure('failed', 'the backup set could not be read back whole');
      hash.update(memory.subarray(0, bytesRead));
      size += bytesRead;
    }
  };
  return { readTo, digest: () => hash.digest('hex') };
}

/**
 * Writes everything to a new file, brings it to the disk and reads it back, each part of it while the next one is made. At
 * the end what was read is compared with what was given to be written.
 */
async function writeAndReadBack(handle: FileHandle, content: AsyncIterable<Buffer>): Promise<Written> {
  const hash = createHash('sha256');
  const back = startReadBack(handle);
  let size = 0;
  let behind = 0;
  let writing: Promise<unknown> = Promise.resolve();
  let checking: Promise<unknown> = Promise.resolve();
  try {
    for await (const piece of collected(content)) {
      checkInterruption();
      hash.update(piece);
      await writing;
      if (size - behind >= STRETCH) {
        await checking;
        const end = size;
        checking = handle.datasync().then(() => back.readTo(end));
        checking.catch(() => undefined);
        behind = end;
      }
      writing = writeAll(handle, piece, size);
      writing.catch(() => undefined);
      size += piece.length;
    }
  } finally {
    await Promise.all([writing, checking]);
  }
  await handle.sync();
  await back.readTo(size);
  const sha256 = hash.digest('hex');
  if ((await handle.stat()).size !== size || back.digest() !== sha256)
    throw failure('failed', 'the backup set read back from the disk is not what was written');
  return { size, sha256 };
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
