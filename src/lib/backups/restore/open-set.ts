import { constants } from 'node:fs';
import { access, type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { looksLikeTar } from '../../archive/read.ts';
import { failure } from '../../core/errors.ts';
import { openUnnamed } from '../../core/files.ts';
import { type DecryptOptions, decryptFile } from '../../gpg/decrypt.ts';

/** First bytes of an OpenPGP message that is encrypted to a key (RFC 9580, section 4.2), and of its armour. */
const ENCRYPTED = new Set([0x84, 0x85, 0x86, 0xc1]);
const ARMOUR = '-----BEGIN PGP MESSAGE-----';

async function looksEncrypted(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(ARMOUR.length), 0, ARMOUR.length, 0);
  return bytesRead > 0 && (ENCRYPTED.has(buffer[0] ?? 0) || buffer.toString('latin1') === ARMOUR);
}

async function nearestDirectory(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    try {
      await access(place, constants.W_OK | constants.X_OK);
      return place;
    } catch (error) {
      if (place === dirname(place)) throw error;
    }
  }
}

/**
 * Opens a backup set and returns its archive in clear as an open file without a name, so that nothing of it stays on the
 * disk. It is decrypted by whoever called the program, whose key it is. `near` is where the bytes are put.
 */
export async function openSet(path: string, near: string, options: DecryptOptions): Promise<FileHandle> {
  if (path.endsWith('.part'))
    throw failure('untrusted', `${path} is an unfinished backup set`, 'use a set without .part');
  const handle = await open(path, constants.O_RDONLY);
  try {
    if (!(await handle.stat()).isFile()) throw failure('failed', `${path} is not a file`);
    if (await looksLikeTar(handle)) return handle;
    if (!(await looksEncrypted(handle)))
      throw failure(
        'untrusted',
        `${path} is not a backup set`,
        'give a .tar or .tar.gpg file that ktbackup made',
      );
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  const clear = await openUnnamed(await nearestDirectory(near));
  try {
    await decryptFile(path, clear, options);
    if (!(await looksLikeTar(clear)))
      throw failure('untrusted', `${path} holds no backup set`, 'use another file');
    return clear;
  } catch (error) {
    await clear.close();
    throw error;
  }
}
