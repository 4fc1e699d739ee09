import {
  close as closeCallback,
  constants,
  fdatasync as fdatasyncCallback,
  fstat as fstatCallback,
  ftruncate as ftruncateCallback,
  open as openCallback,
  stat as statCallback,
  write as writeCallback,
} from 'node:fs';
import { promisify } from 'node:util';

// The forms with a callback cost a third of those of node:fs/promises, and every request of the server waits for some.
export const open = promisify(openCallback);
export const close = promisify(closeCallback);
export const fdatasync = promisify(fdatasyncCallback);
export const ftruncate = promisify(ftruncateCallback);
export const fstat = promisify(fstatCallback);
export const stat = promisify(statCallback);

const NEW = constants.O_CREAT | constants.O_EXCL;
const SAFE = constants.O_RDWR | constants.O_NOFOLLOW;

/** How the files of the trail are opened: a new one exclusively, an old one never through a link, both at their end. */
export const APPEND = SAFE | constants.O_APPEND;
export const CREATE = APPEND | NEW;
export const OVERWRITE = SAFE;

const writeSome = promisify(
  (
    fd: number,
    data: Uint8Array,
    offset: number,
    position: number | null,
    done: (error: Error | null, written: number) => void,
  ) => writeCallback(fd, data, offset, data.length - offset, position, done),
);

/** Writes every byte (a write can be short), at the end of the file or at a position. */
export async function writeWhole(fd: number, data: Uint8Array, position: number | null): Promise<void> {
  for (let offset = 0; offset < data.length; ) {
    const written = await writeSome(fd, data, offset, position === null ? null : position + offset);
    if (written === 0) throw Object.assign(new Error('a write made no progress'), { code: 'EIO' });
    offset += written;
  }
}
