import { createHash } from 'node:crypto';
import { type FileHandle, link, realpath, rename, rm, stat, unlink } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { errorCode, failure } from '../core/errors.ts';
import { createExclusively, lstatOrNothing, syncDirectory, writeAll } from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { setStem } from './name.ts';

/** Refuses a directory that lies in the configuration directory, or that others could write to (hazards FI-8, FI-9). */
export async function checkOutputDirectory(directory: string, confdir: string): Promise<void> {
  const stats = await lstatOrNothing(directory);
  if (stats === undefined)
    throw failure('notFound', `${directory} does not exist`, `mkdir -m 700 ${directory}`);
  if (!stats.isDirectory()) throw failure('conflict', `${directory} is not a directory`);
  if ((stats.mode & 0o022) !== 0) {
    throw failure(
      'permission',
      `${directory} can be written by other accounts`,
      `chmod go-w ${directory}, or give another --output`,
    );
  }
  const real = await realpath(directory);
  const inside = await realpath(confdir);
  if (real === inside || real.startsWith(inside + sep)) {
    throw failure('usage', `${directory} lies in the configuration directory, which is what is backed up`);
  }
}

async function digestOfFile(handle: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256');
  for (let position = 0; position < size; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(65_536), 0, 65_536, position);
    if (bytesRead === 0) throw failure('failed', 'the backup set could not be read back whole');
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return hash.digest('hex');
}

async function writeAndReadBack(handle: FileHandle, content: AsyncIterable<Buffer>): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    checkInterruption();
    hash.update(chunk);
    size = await writeAll(handle, chunk, size);
  }
  await handle.sync();
  if ((await handle.stat()).size !== size || (await digestOfFile(handle, size)) !== hash.digest('hex')) {
    throw failure('failed', 'the backup set read back from the disk is not what was written');
  }
}

async function publish(
  part: string,
  directory: string,
  host: string,
  created: Date,
  ending: string,
): Promise<string> {
  for (let number = 0; number < 1000; number += 1) {
    const path = join(directory, `${setStem(host, created, number)}${ending}`);
    try {
      await link(part, path);
      await unlink(part);
      return path;
    } catch (error) {
      if (errorCode(error) === 'EEXIST') continue;
      // Some file systems have no hard links; there the name was looked at just before.
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].includes(errorCode(error) ?? '')) throw error;
      if ((await lstatOrNothing(path)) !== undefined) continue;
      await rename(part, path);
      return path;
    }
  }
  throw failure('conflict', `${directory} holds a thousand sets of this second`);
}

/** Where a set is written. `ending` is `.tar` or `.tar.gpg`. */
export interface Target {
  directory: string;
  host: string;
  created: Date;
  ending: string;
}

/**
 * Writes a set beside its final name and publishes it when it is complete, on disk and read back: a final name means
 * complete. Whatever happens before leaves nothing with a final name.
 */
export async function publishSet(
  target: Target,
  content: AsyncIterable<Buffer>,
): Promise<{ path: string; size: number }> {
  const { directory, host, created, ending } = target;
  const part = join(directory, `${setStem(host, created)}${ending}.part`);
  const handle = await createExclusively(part);
  try {
    try {
      await writeAndReadBack(handle, content);
    } finally {
      await handle.close();
    }
    checkInterruption();
    const path = await publish(part, directory, host, created, ending);
    await syncDirectory(directory);
    return { path, size: (await stat(path)).size };
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
