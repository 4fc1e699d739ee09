import { createReadStream } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { errorCode, failure } from '../core/errors.ts';
import { lstatOrNothing, writeAtomically } from '../core/files.ts';
import { checkInterruption, interruption } from '../core/interrupt.ts';
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
  return Buffer.concat(pieces);
}

function tooLarge(): Error {
  return failure(
    'usage',
    'a deposit has at most 1 MiB, encryption included (about 500 bytes)',
    'encrypt a larger file with a key of its own, and deposit that key',
  );
}

/** Writes what was fetched into a file, 0600, which is there whole or not at all. Devices and links are not replaced. */
export async function writeContent(file: string, content: Uint8Array): Promise<void> {
  const stats = await lstatOrNothing(file).catch((error: unknown) => {
    if (errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (stats !== undefined && !stats.isFile())
    throw failure('conflict', `${file} is no plain file`, 'leave -o out, and redirect standard output');
  await writeAtomically(file, Buffer.from(content));
}
