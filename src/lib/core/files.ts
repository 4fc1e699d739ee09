import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, statfs, unlink } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { errorCode, failure } from './errors.ts';
import { load } from './lazy.ts';
import { randomSuffix } from './random.ts';

/** Whether something lies at a path (a dangling link counts). */
export async function exists(path: string): Promise<boolean> {
  return (await lstatOrNothing(path)) !== undefined;
}

/** `lstat`, or undefined where nothing lies at the path. */
export async function lstatOrNothing(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes what was renamed or created in a directory outlive a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Opens a new file, readable and writable by its owner only; fails where one exists already, and never follows a link. */
export async function createExclusively(path: string, mode = 0o600): Promise<FileHandle> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(path, flags, mode);
  await handle.chmod(mode);
  return handle;
}

/** Writes every byte at a position (a write can be short) and returns the position after it. */
export async function writeAll(handle: FileHandle, data: Uint8Array, position: number): Promise<number> {
  let offset = 0;
  while (offset < data.length) {
    const { bytesWritten } = await handle.write(data, offset, data.length - offset, position + offset);
    if (bytesWritten === 0) throw failure('failed', 'a write to disk made no progress');
    offset += bytesWritten;
  }
  return position + offset;
}

/** Writes a small file so that a crash leaves the old one or the new one: beside it, fsync, rename, fsync of the directory. */
export async function writeAtomically(path: string, data: string | Buffer, mode = 0o600): Promise<void> {
  const { default: writeFileAtomic } = await load('writeFileAtomic');
  await writeFileAtomic(path, data, { mode, fsync: true });
  await syncDirectory(dirname(path));
}

/**
 * Replaces a small file like `writeAtomically`, and follows no link: for a directory in which root may write for the account
 * that owns it. One process at a time.
 */
export async function replaceFile(path: string, data: string, mode = 0o600): Promise<void> {
  const part = `${path}.part`;
  await rm(part, { force: true });
  const handle = await createExclusively(part, mode);
  try {
    const owner = await lstat(dirname(path));
    if (process.getuid?.() === 0) await handle.chown(owner.uid, owner.gid);
    await writeAll(handle, Buffer.from(data), 0);
    await handle.sync();
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(path));
}

/** Makes a directory; false where another run has made it meanwhile. */
async function makeDirectory(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && (await lstat(directory)).isDirectory()) return false;
    throw error;
  }
}

/**
 * Makes a directory and those above it that are missing, each 0700, and gives them to an account when root makes them.
 * Ownership is set through the open directory, so that nobody can put a link in its place meanwhile.
 */
export async function makePrivateDirectory(
  path: string,
  owner?: { uid: number; gid: number },
): Promise<string[]> {
  const missing: string[] = [];
  for (let place = path; place !== parse(place).root && !(await exists(place)); place = dirname(place)) {
    missing.unshift(place);
  }
  const made: string[] = [];
  for (const directory of missing) {
    if (!(await makeDirectory(directory))) continue;
    made.push(directory);
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    const handle = await open(directory, flags);
    try {
      await handle.chmod(0o700);
      if (owner !== undefined && process.getuid?.() === 0) await handle.chown(owner.uid, owner.gid);
    } finally {
      await handle.close();
    }
  }
  return made;
}

/** A disk with less than this is full, whatever a program that failed on it says; bytes. */
const NO_SPACE = 64 * 1024;

/** The bytes that this account can still write on the disk that a directory lies on. */
export async function freeSpace(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** Refuses to begin what a disk has no space for. `hint` says where else it could be done. */
export async function requireSpace(directory: string, size: number, hint: string): Promise<void> {
  const free = await freeSpace(directory);
  if (free >= size) return;
  throw failure('failed', `${directory} has ${free} bytes of free space, and ${size} are needed`, hint);
}

/** Whether the disk that a directory lies on has no space left for this account. */
export async function isDiskFull(directory: string): Promise<boolean> {
  return (await freeSpace(directory)) < NO_SPACE;
}

/** The text of a small file that follows no link and waits for no writer; undefined where there is none. */
export async function readSmallFile(path: string, limit: number): Promise<string | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile() || stats.size > limit)
        throw failure('untrusted', `${path} is no file of this program`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes a directory and what is in it, also where a child that is being ended still writes its last files there. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** Runs work in a directory of its own beside its final place and removes the directory afterwards, however it ended. */
export async function withStagingDirectory<T>(
  parent: string,
  prefix: string,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = join(parent, `${prefix}${randomSuffix()}`);
  await mkdir(directory, { mode: 0o700 });
  try {
    return await work(directory);
  } finally {
    await removeTree(directory);
  }
}

/**
 * Removes what a killed run left in a directory: entries whose names begin with a prefix that only unfinished work has.
 * Where other runs may be at work too, `age` (milliseconds) spares what is younger.
 */
export async function sweep(directory: string, prefix: string, age = 0): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(prefix)) continue;
    const stats = await lstatOrNothing(join(directory, name));
    if (stats !== undefined && Date.now() - stats.mtimeMs >= age) await removeTree(join(directory, name));
  }
}

/** Opens a temporary file that has no name any more: whatever happens to this process, nothing of it stays on the disk. */
export async function openUnnamed(directory: string): Promise<FileHandle> {
  const path = join(directory, `.ktadmin-${randomSuffix()}.tmp`);
  const handle = await createExclusively(path);
  await unlink(path);
  return handle;
}
