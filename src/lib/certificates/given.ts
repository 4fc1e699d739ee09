import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errorCode, explain } from '../core/errors.ts';
import type { Fault } from '../tls/fault.ts';

/** No certificate and no key is longer; bytes. */
const LONGEST = 1024 * 1024;

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
  switch (errorCode(error)) {
    case 'ENOENT':
      return { code: 'missing', message: `${path} is missing`, hint };
    case 'EACCES':
      return {
        code: 'unreadable',
        message: `${path} may not be read by this account`,
        hint: `ls -l ${path}`,
      };
    default:
      return { code: 'unreadable', message: explain(error).message, hint };
  }
}

/** Reads a file of which the administrator gave the name. Whatever is wrong with it is a fault of the result. */
export async function readGiven(path: string): Promise<GivenFile> {
  const nothing = { path, data: undefined, uid: -1, mode: 0 };
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { uid, mode, size } = await handle.stat();
      const stats = await handle.stat();
      const refuse = (code: Fault['code'], what: string): GivenFile => ({
        ...{ ...nothing, uid, mode },
        fault: { code, message: `${path} ${what}`, hint: 'name the file that holds it' },
      });
      if (stats.isDirectory()) return refuse('directory', 'is a directory');
      if (!stats.isFile()) return refuse('not-recognized', 'is no file');
      if (size === 0) return refuse('empty', 'is empty');
      if (size > LONGEST) return refuse('too-large', 'is longer than 1 MiB');
      return { path, uid, mode, data: (await handle.readFile()).toString('base64'), fault: undefined };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { ...nothing, fault: unreadable(path, error) };
  }
}
