import { failure } from '../core/errors.ts';
import { isDiskFull } from '../core/files.ts';
import { takeLock } from '../core/lock.ts';
import type { AuditEvent, OpenTrail } from '../core/trail.ts';
import { prepareAuditDirectory } from './directory.ts';
import { findEnd, type Gap } from './end.ts';
import { explainTrail } from './explain.ts';
import { closeFile, isInPlace, reopenFile, tampered } from './file.ts';
import { NOTHING, STREAM, trailFiles } from './format.ts';
import { closeHead, isHeadInPlace, openHead, placeHead } from './head.ts';
import { COMMAND, describeOthers, lastMention } from './mentions.ts';
import { sealFinished } from './seal.ts';
import { type Entry, ownEvent, type Stream, type TrailOptions } from './stream.ts';
import { settle } from './sync.ts';
import { writeSoon, written } from './write.ts';

const gapEvent = (stream: Stream, { reason, expected }: Gap) => {
  const { file, seq, hash } = expected;
  return { ...ownEvent(stream, 'audit.gap', { file, seq, hash }), outcome: 'failed' as const, reason };
};

function blank(directory: string, name: string, options: TrailOptions): Omit<Stream, 'head'> {
  return {
    ...{ directory, name, options, highest: 0, sealed: 0, last: { file: 0, seq: 0, hash: NOTHING } },
    ...{ file: undefined, opening: undefined, broken: undefined, closed: false, isDirty: false },
    ...{ queue: [], unsynced: [], writing: undefined, syncing: undefined, sealing: undefined },
    timer: undefined,
  };
}

/** Opens a stream where its last run left it. What that run did not finish, or somebody took away, is recorded first. */
async function resume(directory: string, name: string, options: TrailOptions): Promise<Stream> {
  const files = trailFiles(directory, name);
  const { last, sealed, highest, gap, file, torn, hasHead, isNew } = await findEnd(directory, name);
  // Until the gap is recorded, the head record names a file that is not there: a run that is killed now hides nothing.
  const missing = isNew ? 0 : highest + 1;
  if (!hasHead) await placeHead(files.head, { ...last, file: missing, sealed });
  const head = await openHead(files.head);
  const stream: Stream = { ...blank(directory, name, options), head, last, sealed, highest };
  try {
    if (file !== undefined)
      stream.file = await reopenFile(files.file(file.number), file.number, file.size, file.time);
  } catch (error) {
    await closeHead(head);
    throw error;
  }
  if (gap !== undefined) stream.opening = gapEvent(stream, gap);
  if (torn !== undefined)
    record(stream, ownEvent(stream, 'audit.recover', torn), true).catch(() => undefined);
  if (name === COMMAND) await mention(stream).catch(() => undefined);
  sealFinished(stream);
  return stream;
}

/** Says what the other streams have, unless that was said the last time: it goes along with what is recorded next. */
async function mention(stream: Stream): Promise<void> {
  const others = await describeOthers(stream.directory, stream.name);
  if (Object.keys(others).length === 0) return;
  const event = ownEvent(stream, 'audit.mention', others);
  const said = stream.file === undefined ? undefined : await lastMention(stream.file.path);
  if (JSON.stringify(said) !== JSON.stringify(event.what)) record(stream, event, true).catch(() => undefined);
}

function record(stream: Stream, event: AuditEvent, isChange: boolean): Promise<void> {
  if (stream.closed) return Promise.reject(failure('failed', 'the audit trail is closed'));
  const { promise, entry } = promised(event, isChange);
  stream.queue.push(entry);
  writeSoon(stream);
  return promise;
}

function promised(event: AuditEvent, isChange: boolean): { promise: Promise<void>; entry: Entry } {
  let entry: Entry | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    const refuse = (error: Error) => reject(explainTrail(error));
    entry = { event, time: Date.now(), isChange, resolve, reject: refuse };
  });
  return { promise, entry: entry as unknown as Entry };
}

async function check(stream: Stream): Promise<void> {
  if (stream.broken !== undefined) throw stream.broken;
  if (stream.file !== undefined) await isInPlace(stream.file);
  if (!(await isHeadInPlace(stream.head)) || (await isDiskFull(stream.directory)))
    throw failure('failed', `the audit trail in ${stream.directory} cannot be written`);
}

/** What is wrong with the open files, if anything. */
async function findLoss(stream: Stream): Promise<string | undefined> {
  if (stream.broken !== undefined) return stream.broken.message;
  const lost =
    stream.file === undefined ? undefined : await isInPlace(stream.file).catch((error: Error) => error);
  if (lost !== undefined) return lost.message;
  return (await isHeadInPlace(stream.head))
    ? undefined
    : tampered(stream.head.path, 'removed or replaced').message;
}

/** Begins a new file where the old one, or the head record, is not what it was; its first line says what is missing. */
async function begin(stream: Stream): Promise<string | undefined> {
  const reason = await findLoss(stream);
  if (reason === undefined) return undefined;
  await stream.syncing?.catch(() => undefined);
  clearTimeout(stream.timer);
  await prepareAuditDirectory(stream.directory);
  const { highest } = await findEnd(stream.directory, stream.name);
  if (stream.file !== undefined) await closeFile(stream.file);
  stream.file = undefined;
  stream.highest = Math.max(stream.highest, highest);
  const { path } = stream.head;
  await placeHead(path, { ...stream.last, file: stream.highest + 1, sealed: stream.sealed });
  await closeHead(stream.head);
  stream.head = await openHead(path);
  stream.isDirty = false;
  stream.opening = gapEvent(stream, { reason, expected: stream.last });
  stream.broken = undefined;
  return reason;
}

/** Has the stream begin anew between two groups. */
async function reopen(stream: Stream): Promise<string | undefined> {
  await written(stream);
  const begun = begin(stream);
  stream.writing = begun
    .then(
      () => undefined,
      () => undefined,
    )
    .finally(() => {
      stream.writing = undefined;
      if (stream.queue.length > 0) writeSoon(stream);
    });
  return begun;
}

async function end(stream: Stream, release: () => void): Promise<void> {
  if (stream.closed) return;
  stream.closed = true;
  try {
    await written(stream);
    await stream.sealing;
    await settle(stream);
  } finally {
    clearTimeout(stream.timer);
    if (stream.file !== undefined) await closeFile(stream.file);
    await closeHead(stream.head);
    release();
  }
}

/** Opens a stream of the trail for this process alone. */
export async function openTrail(directory: string, name: string, options: TrailOptions): Promise<OpenTrail> {
  if (!STREAM.test(name)) throw failure('usage', `${name} is no stream of the audit trail`);
  try {
    await prepareAuditDirectory(directory);
    const release = await takeLock(directory, `process with the audit stream ${name}`, options);
    const stream = await resume(directory, name, options).catch((error: unknown) => {
      release();
      throw error;
    });
    return {
      change: (event) => record(stream, event, true),
      note: (event) => record(stream, event, false),
      check: () => check(stream),
      reopen: () => reopen(stream),
      close: () => end(stream, release),
    };
  } catch (error) {
    throw explainTrail(error);
  }
}
