import { link, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorCode, failure, isFull } from '../core/errors.ts';
import {
  createExclusively,
  exists,
  makePrivateDirectory,
  sweep,
  syncDirectory,
  writeAll,
} from '../core/files.ts';
import { randomSuffix } from '../core/random.ts';
import { type GivenFile, readGiven } from './given.ts';

/** What is being written; whatever is left of it is swept by the next run. */
const UNFINISHED = '.new-';

/** What waits for `cert rotate`, below the directory of certificates: the certificate has the names of the one in use. */
export function pendingFiles(sslDirectory: string) {
  const directory = join(sslDirectory, 'pending');
  return {
    directory,
    key: join(directory, 'ssl-cert-keytrustee-pk.pem'),
    request: join(directory, 'request.csr'),
    certificate: join(directory, 'ssl-cert-keytrustee.pem'),
  };
}

/** A key that waits for its certificate, and a self-signed certificate that waits to be used. */
export interface Pending {
  key?: GivenFile;
  certificate?: GivenFile;
}

async function given(path: string): Promise<GivenFile | undefined> {
  const file = await readGiven(path);
  return file.fault?.code === 'missing' ? undefined : file;
}

/** Reads what waits. A file that is there and cannot be read says so by its fault. */
export async function readPending(sslDirectory: string): Promise<Pending> {
  const files = pendingFiles(sslDirectory);
  const [key, certificate] = [await given(files.key), await given(files.certificate)];
  return {
    ...(key === undefined ? {} : { key }),
    ...(certificate === undefined ? {} : { certificate }),
  };
}

/** Removes what waits: the key last, so that whatever is left belongs to it. What others put there stays. */
export async function discardPending(sslDirectory: string): Promise<void> {
  const { directory, key, request, certificate } = pendingFiles(sslDirectory);
  if (!(await exists(directory))) return;
  await sweep(directory, UNFINISHED);
  for (const path of [request, certificate, key]) await rm(path, { force: true });
  await syncDirectory(directory);
  await removeEmpty(sslDirectory);
}

async function removeEmpty(sslDirectory: string): Promise<void> {
  const { directory } = pendingFiles(sslDirectory);
  if ((await readdir(directory)).length > 0) return;
  await rmdir(directory);
  await syncDirectory(sslDirectory);
}

/** Gives a file its name: one that takes no other's place, or one that does. */
async function publish(part: string, path: string, replace: boolean): Promise<void> {
  if (replace) return rename(part, path);
  try {
    await link(part, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    throw failure('conflict', `${path} exists already`, 'run the command again, which will use it');
  }
  await rm(part);
}

async function write(path: string, text: string, replace: boolean, directory: string): Promise<void> {
  const part = join(directory, `${UNFINISHED}${randomSuffix()}`);
  try {
    const handle = await createExclusively(part);
    try {
      await writeAll(handle, Buffer.from(text), 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if ((await readFile(part, 'utf8')) !== text)
      throw failure('failed', `${path} does not read back as it was written`, 'look after the disk');
    await publish(part, path, replace);
  } finally {
    await rm(part, { force: true });
  }
  await syncDirectory(directory);
}

/**
 * Keeps a file until `cert rotate` takes it: 0600, whole or not at all, on the disk. A key never takes another's place. The
 * caller has the lock of the certificates.
 */
export async function keepPending(
  sslDirectory: string,
  kind: 'key' | 'request' | 'certificate',
  text: string,
): Promise<string> {
  const { directory, ...files } = pendingFiles(sslDirectory);
  for (const made of await makePrivateDirectory(directory)) await syncDirectory(join(made, '..'));
  try {
    await sweep(directory, UNFINISHED);
    await write(files[kind], text, kind !== 'key', directory);
  } catch (error) {
    await removeEmpty(sslDirectory).catch(() => undefined);
    if (isFull(error)) Object.assign(error as Error, { path: directory });
    // The system names the file that was written first; nobody knows that one.
    if (basename(`${(error as { path?: string }).path}`).startsWith(UNFINISHED))
      Object.assign(error as Error, { path: files[kind] });
    throw error;
  }
  return files[kind];
}
