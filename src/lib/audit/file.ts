import { failure } from '../core/errors.ts';
import { syncDirectory } from '../core/files.ts';
import { APPEND, CREATE, close, fstat, ftruncate, open, stat, writeWhole } from './descriptor.ts';

/** A file of the trail that is written. */
export interface OpenFile {
  path: string;
  number: number;
  fd: number;
  dev: number;
  ino: number;
  /** Its length, as far as it holds whole lines that this process, or the one before, stands for. */
  size: number;
  /** Days since 1970 (UTC) at its last line. */
  day: number;
  /** Whether bytes that belong to nothing may stand behind `size`. */
  isTorn: boolean;
}

/** The number of a day, UTC. */
export function dayOf(time: number): number {
  return Math.floor(time / 86_400_000);
}

async function describe(fd: number, path: string, number: number): Promise<OpenFile> {
  const { dev, ino } = await fstat(fd);
  return { path, number, fd, dev, ino, size: 0, day: dayOf(Date.now()), isTorn: false };
}

/** Makes the next file of a stream. */
export async function createFile(directory: string, path: string, number: number): Promise<OpenFile> {
  const fd = await open(path, CREATE, 0o600);
  try {
    await syncDirectory(directory);
    return await describe(fd, path, number);
  } catch (error) {
    await close(fd);
    throw error;
  }
}

/** Opens the last file of a stream and cuts off what a killed run did not finish. */
export async function reopenFile(
  path: string,
  number: number,
  size: number,
  time: string,
): Promise<OpenFile> {
  const fd = await open(path, APPEND);
  try {
    await ftruncate(fd, size);
    const file = await describe(fd, path, number);
    return { ...file, size, day: time === '' ? file.day : dayOf(Date.parse(time)) };
  } catch (error) {
    await close(fd);
    throw error;
  }
}

async function cut(file: OpenFile): Promise<void> {
  file.isTorn = true;
  await ftruncate(file.fd, file.size);
  file.isTorn = false;
}

/** Writes lines to the end of a file, all of them or none. */
export async function append(file: OpenFile, data: Uint8Array): Promise<void> {
  if (file.isTorn) await cut(file);
  try {
    await writeWhole(file.fd, data, null);
  } catch (error) {
    await cut(file).catch(() => undefined);
    throw error;
  }
}

async function look({ path, dev, ino }: OpenFile): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found?.dev === dev && found.ino === ino) return found.size;
  throw tampered(path, found === undefined ? 'removed' : 'replaced');
}

/** The error of a file of the trail that somebody else has laid hands on. */
export function tampered(path: string, what: string): Error {
  return failure(
    'untrusted',
    `${path} was ${what} by somebody else: nothing is recorded in it any more`,
    'ktadmin audit verify shows what is missing; a reload or restart of the server begins a new file',
  );
}

/** Fails where somebody else has removed or replaced the file. */
export async function isInPlace(file: OpenFile): Promise<undefined> {
  await look(file);
}

/** Fails where somebody else has removed, replaced, cut or lengthened the file, which is to have so many bytes more now. */
export async function confirm(file: OpenFile, length: number): Promise<void> {
  if ((await look(file)) !== file.size + length) throw tampered(file.path, 'changed');
}

/** Closes a file. */
export async function closeFile({ fd }: OpenFile): Promise<void> {
  await close(fd);
}
