import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { looksLikeTar } from '../../archive/read.ts';
import { failure } from '../../core/errors.ts';
import { openUnnamed, writeAll } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import { type DecryptOptions, decryptFile } from '../../gpg/decrypt.ts';

/** First bytes of an OpenPGP message that is encrypted to a key (RFC 9580, section 4.2), and of its armour. */
const ENCRYPTED = new Set([0x84, 0x85, 0x86, 0xc1]);
const ARMOUR = '-----BEGIN PGP MESSAGE-----';

async function looksEncrypted(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(ARMOUR.length), 0, ARMOUR.length, 0);
  return bytesRead > 0 && (ENCRYPTED.has(buffer[0] ?? 0) || buffer.toString('latin1') === ARMOUR);
}

/** Puts a file's bytes aside, so that nobody can change them between their check and their use. */
async function putAside(source: FileHandle, target: FileHandle): Promise<FileHandle> {
  const piece = Buffer.alloc(1024 * 1024);
  for (let position = 0; ; ) {
    checkInterruption();
    const { bytesRead } = await source.read(piece, 0, piece.length, position);
    if (bytesRead === 0) return target;
    position = await writeAll(target, piece.subarray(0, bytesRead), position);
  }
}

/** Whether a file is a backup set, and of which kind. */
async function kindOf(path: string, handle: FileHandle): Promise<'clear' | 'encrypted'> {
  if (!(await handle.stat()).isFile()) throw failure('failed', `${path} is not a file`);
  if (await looksLikeTar(handle)) return 'clear';
  if (await looksEncrypted(handle)) return 'encrypted';
  throw failure(
    'untrusted',
    `${path} is not a backup set`,
    'give a .tar or .tar.gpg file that ktbackup made',
  );
}

/** A file that looks like a set, and of which kind it is. */
export interface SetFile {
  handle: FileHandle;
  kind: 'clear' | 'encrypted';
}

/** Opens a file that looks like a backup set; anything else is refused. */
export async function openSetFile(path: string): Promise<SetFile> {
  if (path.endsWith('.part'))
    throw failure('untrusted', `${path} is an unfinished backup set`, 'use a set without .part');
  // A FIFO would keep an ordinary open waiting for ever.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return { handle, kind: await kindOf(path, handle) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The archive of a set in clear, as `openSet` gives it. */
export async function clearArchive(
  path: string,
  { handle, kind }: SetFile,
  near: string,
  options: DecryptOptions,
): Promise<FileHandle> {
  const clear = await openUnnamed(near);
  try {
    if (kind === 'clear') return await putAside(handle, clear);
    await decryptFile(path, clear, options);
    if (await looksLikeTar(clear)) return clear;
    throw failure('untrusted', `${path} holds no backup set`, 'use another file');
  } catch (error) {
    await clear.close();
    throw error;
  }
}

/**
 * Opens a backup set and returns its archive in clear as an open file without a name in the directory `near`, so that
 * nothing of it stays on the disk. It is decrypted by whoever called the program, whose key it is.
 */
export async function openSet(path: string, near: string, options: DecryptOptions): Promise<FileHandle> {
  const file = await openSetFile(path);
  try {
    return await clearArchive(path, file, near, options);
  } finally {
    await file.handle.close();
  }
}
