import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errorCode, explain } from '../core/errors.ts';
import { shellWord } from '../core/quote.ts';
import type { Fault } from '../tls/fault.ts';

/** No certificate and no key is longer; bytes. */
const LONGEST = 1024 * 1024;

/** What is said of a directory's other entries: pipes, sockets, devices. */
const IRREGULAR = 'is no regular file';

/** A file as whoever typed its name can read it. It goes between processes, so it is plain data. */
export interface GivenFile {
  path: string;
  /** What it holds, base64; undefined where it could not be read. */
  data: string | undefined;
  /** Why it could not be read. */
  fault: Fault | undefined;
  uid: number;
  mode: number;
}

function unreadable(path: string, error: unknown): Fault {
  const hint = 'correct the path, or put the file there';
  const word = shellWord(path);
  switch (errorCode(error)) {
    case 'ENOENT':
      return { code: 'missing', message: `${path} is missing`, hint };
    case 'ENOTDIR':
      return { code: 'missing', message: `${path} is missing: what should be a directory is none`, hint };
    case 'ELOOP':
      return { code: 'missing', message: `${path} is a symbolic link that leads to itself`, hint };
    case 'EACCES': {
      const message = `${path} may not be read by this account`;
      return { code: 'unreadable', message, hint: `namei -l ${word} shows who may read it` };
    }
    case 'ENXIO':
      return { code: 'not-recognized', message: `${path} ${IRREGULAR}`, hint: 'name the file that holds it' };
    default: {
      // The system names the file where it is opened, and not where it is read.
      if (errorCode(error) !== undefined) Object.assign(error as Error, { path });
      return { code: 'unreadable', message: explain(error).message, hint };
    }
  }
}

/** At most what is taken, and one byte more where there is more: a file can grow after it was looked at. */
async function readStart(handle: FileHandle): Promise<Buffer> {
  const bytes = Buffer.alloc(LONGEST + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === bytes.length) return bytes.subarray(0, length);
  }
}

async function readOpen(path: string, handle: FileHandle): Promise<GivenFile> {
  const stats = await handle.stat();
  const file = { path, uid: stats.uid, mode: stats.mode };
  const refuse = (code: Fault['code'], what: string, hint = 'name the file that holds it'): GivenFile => ({
    ...{ ...file, data: undefined },
    fault: { code, message: `${path} ${what}`, hint },
  });
  if (stats.isDirectory()) return refuse('directory', 'is a directory', 'name the file in it');
  if (!stats.isFile()) return refuse('not-recognized', IRREGULAR);
  const bytes = await readStart(handle);
  if (bytes.length === 0) return refuse('empty', 'is empty', 'copy the file there again');
  if (bytes.length > LONGEST) return refuse('too-large', 'is longer than 1 MiB');
  return { ...file, data: bytes.toString('base64'), fault: undefined };
}

/**
 * Reads a file of which the administrator gave the name. Whatever is wrong with it is a fault of the result. Links are
 * followed (those of certbot's `live` directories are), and nothing is waited for.
 */
export async function readGiven(path: string): Promise<GivenFile> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readOpen(path, handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { path, data: undefined, fault: unreadable(path, error), uid: -1, mode: 0 };
  }
}
