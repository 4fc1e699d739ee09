import { readSmallFile, replaceFile } from '../core/files.ts';
import { close, fstat, OVERWRITE, open, stat, writeWhole } from './descriptor.ts';
import { formatHead, HEAD_SIZE, type Head, parseHead } from './format.ts';

/** Reads a stream's head record: undefined where there is no file, `damaged` where it holds something else. */
export async function readHead(path: string): Promise<Head | 'damaged' | undefined> {
  const text = await readSmallFile(path, HEAD_SIZE);
  return text === undefined ? undefined : (parseHead(text) ?? 'damaged');
}

/** The open head record of a stream. */
export interface HeadFile {
  path: string;
  fd: number;
  ino: number;
}

/** Puts a head record where none is, or a damaged one. */
export async function placeHead(path: string, head: Head): Promise<void> {
  await replaceFile(path, formatHead(head));
}

/** Opens a head record. */
export async function openHead(path: string): Promise<HeadFile> {
  const fd = await open(path, OVERWRITE);
  const { ino } = await fstat(fd);
  return { path, fd, ino };
}

/** Writes the head record over. */
export async function writeHead({ fd }: HeadFile, head: Head): Promise<void> {
  await writeWhole(fd, Buffer.from(formatHead(head)), 0);
}

/** Whether the head record is still the file that was opened. */
export async function isHeadInPlace({ path, ino }: HeadFile): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.ino === ino && found.size === HEAD_SIZE;
}

/** Closes a head record. */
export async function closeHead({ fd }: HeadFile): Promise<void> {
  await close(fd);
}
