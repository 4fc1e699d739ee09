import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { KeyTrusteeError } from '../core/errors.ts';
import { reached } from '../core/steps.ts';
import type { AuditEvent } from '../core/trail.ts';
import { append, closeFile, confirm, createFile, dayOf } from './file.ts';
import { formatLine, hashOf, trailFiles } from './format.ts';
import { describeOthers } from './mentions.ts';
import { sealFinished } from './seal.ts';
import { type Entry, ownEvent, type Stream } from './stream.ts';
import { settle, syncSoon } from './sync.ts';

/** The most events that are written at once: so many lines are made while nothing else can run. */
const GROUP = 500;

/** Between a group and the next one, where there is one already; milliseconds. Two cost a fifth of what can be answered, none a tenth. */
const PAUSE = 1;

/** Whether the next line belongs into a file of its own. */
function isFileOver({ file, options }: Stream, now: number): boolean {
  if (file === undefined) return true;
  return file.size > 0 && (file.size >= options.fileBytes || file.day < dayOf(now));
}

/** Goes over to the next file. What the old one holds is on the disk before. */
async function beginFile(stream: Stream): Promise<void> {
  if (stream.file !== undefined) await settle(stream);
  const number = stream.highest + 1;
  const path = trailFiles(stream.directory, stream.name).file(number);
  const next = await createFile(stream.directory, path, number);
  reached('audit-file-made');
  const before = stream.file;
  stream.file = next;
  stream.highest = number;
  if (before !== undefined) await closeFile(before);
  sealFinished(stream);
}

/** What is to be written, one line an event, and where the stream is then. */
function format(stream: Stream, events: { event: AuditEvent; time: number }[], file: number) {
  let last = stream.last;
  let text = '';
  let stamp = { time: 0, text: '' };
  for (const { event, time } of events) {
    if (time !== stamp.time) stamp = { time, text: new Date(time).toISOString() };
    const line = formatLine(event, stamp.text, last);
    last = { file, seq: last.seq + 1, hash: hashOf(line) };
    text += `${line}\n`;
  }
  return { data: Buffer.from(text), last };
}

async function openingOf(stream: Stream): Promise<AuditEvent> {
  if (stream.opening !== undefined) return stream.opening;
  return ownEvent(stream, 'audit.open', await describeOthers(stream.directory, stream.name));
}

async function writeGroup(stream: Stream, entries: Entry[]): Promise<void> {
  if (stream.broken !== undefined) throw stream.broken;
  const now = Date.now();
  if (isFileOver(stream, now)) await beginFile(stream);
  const { file } = stream;
  if (file === undefined) throw new Error('the stream has no file');
  const opening = file.size === 0 ? [{ event: await openingOf(stream), time: now }] : [];
  const { data, last } = format(stream, [...opening, ...entries], file.number);
  await append(file, data);
  try {
    await confirm(file, data.length);
  } catch (error) {
    if (error instanceof KeyTrusteeError) stream.broken = error;
    throw error;
  }
  if (file.size === 0) stream.opening = undefined;
  file.size += data.length;
  file.day = dayOf(now);
  stream.last = last;
}

async function writeQueue(stream: Stream): Promise<void> {
  let isFirst = true;
  while (stream.queue.length > 0) {
    // Under load each call to the file system costs more than all the lines that it writes: what comes up meanwhile goes
    // along. Where there is no load, nothing waits.
    await (isFirst ? nextTurn() : pause(PAUSE));
    isFirst = false;
    const entries = stream.queue.splice(0, GROUP);
    try {
      await writeGroup(stream, entries);
      stream.unsynced.push(...entries.filter(({ isChange }) => isChange));
      syncSoon(stream);
      for (const { isChange, resolve } of entries) if (!isChange) resolve();
    } catch (error) {
      for (const { reject } of entries) reject(error as Error);
    }
  }
}

/** Writes what waits, a group after the other, unless that is under way already. */
export function writeSoon(stream: Stream): void {
  stream.writing ??= Promise.resolve()
    .then(() => writeQueue(stream))
    .finally(() => {
      stream.writing = undefined;
      // What came between the last look at the queue and now.
      if (stream.queue.length > 0) writeSoon(stream);
    });
}

/** Waits until everything that was given is written or refused. */
export async function written(stream: Stream): Promise<void> {
  while (stream.writing !== undefined) await stream.writing;
}
