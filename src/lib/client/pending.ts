import { createHash, createHmac } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../core/errors.ts';
import { sweep } from '../core/files.ts';
import { randomToken } from '../core/random.ts';
import { type ClientFiles, readOwn, writeOnce } from './home.ts';
import type { ClientKey } from './key.ts';
import type { PutOptions } from './types.ts';

const LIMIT = 2 * 1024 * 1024;
/** What nobody has come back for in so long is thrown away; milliseconds. */
const FORGOTTEN = 30 * 86_400_000;

/** What is sent: its key, by which the server knows it again, and the encrypted bytes. */
export interface Parcel {
  path: string;
  putKey: string;
  sealed: Buffer;
  /** Made by another run, which may have stored it; whatever happened to it since. */
  isOld: boolean;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/**
 * The name of what is to be put. Only who has the client's key could make it out of the content. It has no server in it:
 * after a promotion the client may be registered again with the servers in another order.
 */
function nameOf({ armored }: ClientKey, content: Uint8Array, options: PutOptions): string {
  const { handle = null, ttl = null, retrievals = null } = options;
  const what = JSON.stringify([handle, ttl, retrievals]);
  return createHmac('sha256', armored).update(what).update('\0').update(content).digest('hex');
}

/** Reads a parcel; one that a power failure left without its bytes is thrown away. */
async function read(path: string): Promise<Parcel | undefined> {
  const bytes = await readOwn(path, LIMIT);
  if (bytes === undefined) return undefined;
  const [, putKey = '', digest] =
    /^([0-9A-Za-z]{43}) ([0-9a-f]{64})\n/.exec(bytes.toString('latin1', 0, 109)) ?? [];
  const sealed = bytes.subarray(109);
  if (digest !== undefined && sha256(sealed) === digest) return { path, putKey, sealed, isOld: true };
  await drop({ path });
  return undefined;
}

/**
 * The parcel of a content: the one that an earlier run made and got no answer for, or a new one. Kept until a server
 * has answered, it makes a run after a lost answer, or after a crash, store nothing twice; at the other server as well,
 * which has the key of what was replicated to it.
 */
export async function parcelOf(
  files: ClientFiles,
  key: ClientKey,
  { content, options }: { content: Uint8Array; options: PutOptions },
  make: () => Promise<Uint8Array>,
): Promise<Parcel> {
  await sweep(files.pending, '', FORGOTTEN);
  const path = join(files.pending, nameOf(key, content, options));
  const found = await read(path);
  if (found !== undefined) return found;
  const sealed = Buffer.from(await make());
  const putKey = randomToken();
  if (await writeOnce(path, [Buffer.from(`${putKey} ${sha256(sealed)}\n`), sealed], false)) {
    return { path, putKey, sealed, isOld: false };
  }
  return parcelOf(files, key, { content, options }, async () => sealed);
}

/** Throws a parcel away: it has arrived, or it is known that nothing of it was written. */
export async function drop({ path }: Pick<Parcel, 'path'>): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
