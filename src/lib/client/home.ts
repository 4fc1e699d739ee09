import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { environment } from '../core/config.ts';
import { errorCode, failure } from '../core/errors.ts';
import {
  createExclusively,
  exists,
  lstatOrNothing,
  makePrivateDirectory,
  syncDirectory,
  writeAll,
} from '../core/files.ts';
import { shellWord } from '../core/quote.ts';
import { randomSuffix } from '../core/random.ts';

/** The files of a client's directory. */
export interface ClientFiles {
  home: string;
  configuration: string;
  key: string;
  /** Which server took the last write. */
  state: string;
  /** What was sent, or is about to be, and has no answer yet. */
  pending: string;
}

/** Where a client's files lie. */
export function clientFiles(home = defaultHome()): ClientFiles {
  const place = resolve(home);
  return {
    home: place,
    configuration: join(place, 'client.conf'),
    key: join(place, 'client.key'),
    state: join(place, 'client.state'),
    pending: join(place, 'pending'),
  };
}

/** The directory of a client when nothing else is said. */
function defaultHome(): string {
  return environment.clientHome ?? join(environment.home ?? homedir(), '.keytrustee');
}

function checkOwn(path: string, stats: Stats, mode: string): void {
  if (stats.uid !== process.getuid?.())
    throw failure('permission', `${path} belongs to another user`, 'run it as the user who registered');
  if ((stats.mode & 0o077) !== 0) {
    throw failure('permission', `others may use ${path}`, `chmod ${mode} ${shellWord(path)}`);
  }
}

/** Refuses a directory that others could read or put files into. */
export async function checkHome({ home }: ClientFiles): Promise<void> {
  const stats = await lstatOrNothing(home);
  if (stats === undefined) throw notRegistered(home);
  if (!stats.isDirectory()) throw failure('permission', `${home} is no directory (a link is not followed)`);
  checkOwn(home, stats, '0700');
}

/** Makes the directory, or checks the one that is there. A server's configuration directory is none for a client. */
export async function prepareHome(files: ClientFiles): Promise<void> {
  if (await exists(join(files.home, 'keytrustee.conf'))) {
    throw failure(
      'conflict',
      `${files.home} is the configuration of a server`,
      'give the client a directory of its own: --home',
    );
  }
  await makePrivateDirectory(files.home);
  await checkHome(files);
  await makePrivateDirectory(files.pending);
}

/** The error of a directory in which nothing was registered. */
export function notRegistered(home: string): Error {
  return failure(
    'state',
    `no client is registered in ${home}`,
    'keytrustee register makes it known to a server',
  );
}

async function openOwn(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The bytes of a file that only this user can read; undefined where there is none. */
export async function readOwn(path: string, limit: number): Promise<Buffer | undefined> {
  const handle = await openOwn(path);
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > limit)
      throw failure('untrusted', `${path} is no file of this program`);
    checkOwn(path, stats, '0600');
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Writes a new file whole, or not at all; false where there is one already, which stays. */
export async function writeOnce(path: string, pieces: Uint8Array[], isLasting: boolean): Promise<boolean> {
  const part = `${path}.${randomSuffix()}.part`;
  const handle = await createExclusively(part);
  try {
    let position = 0;
    for (const piece of pieces) position = await writeAll(handle, piece, position);
    if (isLasting) await handle.sync();
    await link(part, path);
    if (isLasting) await syncDirectory(resolve(path, '..'));
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await handle.close();
    await unlink(part);
  }
}
