import { createReadStream } from 'node:fs';
import { type FileHandle, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { errorCode, failure } from '../core/errors.ts';
import { createExclusively, lstatOrNothing, syncDirectory, writeAll } from '../core/files.ts';
import { checkInterruption, interruption } from '../core/interrupt.ts';
import { randomSuffix } from '../core/random.ts';
import { path } from './values.ts';

/** No deposit is larger, and nothing larger is read; bytes. */
const LIMIT = 1024 * 1024;

/** Reads what is to be stored: a file, or standard input for `-` and where nothing is named. */
export async function readContent(file: string | undefined): Promise<Buffer> {
  const isInput = file === undefined || file === '-';
  if (file === undefined && process.stdin.isTTY === true)
    throw failure('usage', 'no file is named', 'keytrustee put FILE, or - for what is typed');
  const source: Readable = isInput ? process.stdin : createReadStream(path(file));
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of addAbortSignal(interruption, source) as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > LIMIT) throw tooLarge();
      pieces.push(piece);
    }
  } catch (error) {
    checkInterruption();
    throw error;
  }
  if (isInput && size === 0) throw nothingCame();
  return Buffer.concat(pieces);
}

/** What makes the key may have failed, and a pipe tells nobody of that; who would keep nothing says so by a file. */
function nothingCame(): Error {
  return failure(
    'usage',
    'nothing came on standard input: nothing was stored',
    'did the command before the pipe fail? An empty file is stored where it is named',
  );
}

function tooLarge(): Error {
  return failure(
    'usage',
    'a deposit has at most 1 MiB, encryption included (about 500 bytes)',
    'encrypt a larger file with a key of its own, and deposit that key',
  );
}

/** The system names the temporary file, or none; people know the file that they named. */
async function naming<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw errorCode(error) === undefined ? error : Object.assign(error as Error, { path: file });
  }
}

/** Makes the temporary file beside a file, and takes all the space that any content needs. */
async function prepare(file: string, part: string): Promise<FileHandle> {
  const stats = await lstatOrNothing(file);
  if (stats !== undefined && !stats.isFile())
    throw failure('conflict', `${file} is no plain file`, 'leave -o out, and redirect standard output');
  const handle = await createExclusively(part);
  try {
    if (stats !== undefined && process.getuid?.() === 0) await handle.chown(stats.uid, stats.gid);
    await writeAll(handle, Buffer.alloc(LIMIT), 0);
    await handle.sync();
    return handle;
  } catch (error) {
    await handle.close();
    await rm(part, { force: true });
    throw error;
  }
}

async function finish(handle: FileHandle, content: Uint8Array): Promise<void> {
  await writeAll(handle, content, 0);
  await handle.truncate(content.length);
  await handle.sync();
}

/**
 * Fetches content into a file, 0600, which is there whole or not at all. That it can be written is settled before anything is
 * fetched, for a fetch may be the last one that the server allows. Devices and links are not replaced.
 */
export async function fetchInto<T extends { content: Uint8Array }>(
  file: string,
  fetch: () => Promise<T>,
): Promise<T> {
  const part = join(dirname(file), `.keytrustee-${randomSuffix()}.part`);
  const handle = await naming(file, prepare(file, part));
  try {
    const fetched = await fetch();
    await naming(file, finish(handle, fetched.content));
    await naming(file, rename(part, file));
    await syncDirectory(dirname(file));
    return fetched;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}
