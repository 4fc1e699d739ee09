import { reached } from '../core/steps.ts';
import { fdatasync } from './descriptor.ts';
import { tampered } from './file.ts';
import { isHeadInPlace, writeHead } from './head.ts';
import type { Stream } from './stream.ts';

/** How long a line that nobody waits for may be in memory only, in milliseconds. */
const DELAY = 500;

/** Brings what is written to the disk, and then says so in the head record: it never names a line that could be lost. */
async function syncOnce(stream: Stream): Promise<void> {
  const { file, last, head } = stream;
  if (file === undefined) return;
  await fdatasync(file.fd);
  reached('audit-written');
  await writeHead(head, { ...last, sealed: stream.sealed });
  if (await isHeadInPlace(head)) return;
  stream.broken = tampered(head.path, 'removed or replaced');
  throw stream.broken;
}

async function syncAll(stream: Stream): Promise<void> {
  while (stream.isDirty) {
    const entries = stream.unsynced.splice(0);
    stream.isDirty = false;
    try {
      await syncOnce(stream);
      for (const { resolve } of entries) resolve();
    } catch (error) {
      // In a broken stream what was written meanwhile is as lost; elsewhere it is tried again.
      const lost = stream.broken === undefined ? entries : [...entries, ...stream.unsynced.splice(0)];
      for (const { reject } of lost) reject(error as Error);
      stream.isDirty = stream.broken === undefined;
      throw error;
    }
  }
}

function syncNow(stream: Stream): Promise<void> {
  clearTimeout(stream.timer);
  stream.timer = undefined;
  stream.syncing ??= syncAll(stream).finally(() => {
    stream.syncing = undefined;
    // What came between the last look and now.
    if (stream.unsynced.length > 0) syncQuietly(stream);
  });
  return stream.syncing;
}

/** A failure is told to those who wait; where nobody does, it is tried again. */
function syncQuietly(stream: Stream): void {
  syncNow(stream).catch(() => later(stream));
}

function later(stream: Stream): void {
  if (stream.broken !== undefined || stream.closed) return;
  stream.timer ??= setTimeout(() => syncQuietly(stream), DELAY).unref();
}

/** Has what was written brought to the disk: at once where a change waits for it, else within a second. */
export function syncSoon(stream: Stream): void {
  stream.isDirty = true;
  if (stream.unsynced.length > 0) syncQuietly(stream);
  else later(stream);
}

/** Waits until all that is written is on the disk. */
export async function settle(stream: Stream): Promise<void> {
  while (stream.isDirty || stream.syncing !== undefined) await syncNow(stream);
}
