import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { errorCode, failure } from '../core/errors.ts';
import { lstatOrNothing } from '../core/files.ts';
import type { WithDescriptor } from '../core/handover.ts';
import type { Terminal } from './terminal.ts';

/**
 * A file that the caller opened to be written by the service account, which may not reach it. Plain data: it goes between
 * processes, and the open file with it.
 */
export interface CallerFile extends WithDescriptor {
  path: string;
  isNew: boolean;
}

const MODE = 0o644;

function refuse(path: string): never {
  throw failure('conflict', `${path} is there, and is no plain file of yours`, 'name another file');
}

/** Opens a file of the caller's: a new one, or a plain file of its own. What is in it stays until something is written. */
export async function openCallerFile(path: string): Promise<CallerFile> {
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const stats = await lstatOrNothing(path);
  if (stats === undefined) {
    const handedDescriptor = openSync(path, flags | constants.O_CREAT | constants.O_EXCL, MODE);
    return { path, isNew: true, handedDescriptor };
  }
  if (!stats.isFile() || stats.uid !== process.geteuid?.()) refuse(path);
  const handedDescriptor = openSync(path, flags);
  const opened = fstatSync(handedDescriptor);
  if (!opened.isFile() || opened.uid !== stats.uid) refuse(path);
  return { path, isNew: false, handedDescriptor };
}

function write({ path, handedDescriptor }: CallerFile, text: string): void {
  try {
    ftruncateSync(handedDescriptor);
    writeFileSync(handedDescriptor, text);
    fsyncSync(handedDescriptor);
  } catch (error) {
    throw errorCode(error) === undefined ? error : Object.assign(error as Error, { path });
  }
}

/** A file that stays empty is of no use; the account that writes it may not be able to remove it. */
function takeBack({ path, isNew, handedDescriptor }: CallerFile, terminal: Terminal): void {
  if (!isNew) return;
  try {
    ftruncateSync(handedDescriptor);
    unlinkSync(path);
  } catch {
    terminal.warn(`${path} was made, and is empty`);
  }
}

/** Does work and writes its text into the file that the caller opened, where it opened one. */
export async function intoCallerFile<T>(
  file: CallerFile | undefined,
  terminal: Terminal,
  work: () => Promise<[result: T, text: string]>,
): Promise<T> {
  if (file === undefined) return (await work())[0];
  try {
    const [result, text] = await work();
    write(file, text);
    return result;
  } catch (error) {
    takeBack(file, terminal);
    throw error;
  } finally {
    closeSync(file.handedDescriptor);
  }
}
