import { checkInterruption } from '../core/interrupt.ts';
import { type Head, NOTHING, type Position, trailFiles } from './format.ts';
import { readHead } from './head.ts';
import { type Mentioned, readMentions } from './mentions.ts';
import { listFiles } from './streams.ts';
import { readTail, type Tail } from './tail.ts';

/** Why the last line that was on the disk is not there any more. */
export interface Gap {
  reason: string;
  expected: Position;
}

/** Where a stream goes on. */
export interface End {
  /** The last line; the next one names it. */
  last: Position;
  sealed: number;
  isNew: boolean;
  hasHead: boolean;
  /** The file to go on in; undefined: a new one. */
  file: { number: number; size: number; time: string } | undefined;
  torn: Tail['torn'];
  gap: Gap | undefined;
  /** The highest number of a file that is there, or was. */
  highest: number;
}

const BEGINNING: Head = { seq: 0, file: 0, hash: NOTHING, sealed: 0 };

function withGap(head: Head, highest: number, reason: string, hasHead: boolean): End {
  const { sealed, ...expected } = head;
  const gap = { reason, expected };
  const number = Math.max(highest, head.file);
  return {
    last: expected,
    sealed,
    isNew: false,
    hasHead,
    file: undefined,
    torn: undefined,
    gap,
    highest: number,
  };
}

/** Where a stream without a head record goes on: nobody can say what else is missing. */
async function withoutHead(directory: string, stream: string, highest: number): Promise<End> {
  const end =
    highest === 0 ? undefined : await readTail(trailFiles(directory, stream).file(highest), BEGINNING);
  const last = end?.last;
  const head =
    last === undefined ? BEGINNING : { seq: last.line.seq, file: highest, hash: last.hash, sealed: 0 };
  return withGap(head, highest, 'the head record is missing', false);
}

/** What the other streams say of one; `unreadable` where that cannot be found out. */
async function mentionsOf(directory: string, stream: string): Promise<Mentioned | 'unreadable' | undefined> {
  try {
    return (await readMentions(directory)).get(stream);
  } catch {
    // A run that is being ended must not take what it did not read for nothing.
    checkInterruption();
    return 'unreadable';
  }
}

/** A stream of which there is nothing: a new one, unless another stream has seen lines of it. */
async function withoutAnything(directory: string, stream: string): Promise<End> {
  const mentioned = await mentionsOf(directory, stream);
  if (mentioned === undefined) return { ...withGap(BEGINNING, 0, '', false), gap: undefined, isNew: true };
  if (mentioned === 'unreadable')
    return withGap(BEGINNING, 0, 'nothing is left of the stream, and the others cannot be read', false);
  const { most, hashes } = mentioned;
  const head = { ...BEGINNING, seq: most, hash: hashes.get(most) ?? NOTHING };
  return withGap(head, 0, 'the whole stream is missing', false);
}

/** The end of the highest file, and of the one before where a killed run had only just begun the highest. */
async function readHighest(directory: string, stream: string, highest: number, head: Head) {
  const files = trailFiles(directory, stream);
  const tail = await readTail(files.file(highest), head);
  if (tail.size > 0 || head.file !== highest - 1) return { tail, number: highest };
  if (highest === 1) return { tail: { ...tail, hasAnchor: true }, number: highest };
  const before = await readTail(files.file(highest - 1), head);
  return { tail: { ...tail, last: before.last, hasAnchor: before.hasAnchor }, number: highest - 1 };
}

/** Finds where a stream goes on after its last run, however that ended. */
export async function findEnd(directory: string, stream: string): Promise<End> {
  const head = await readHead(trailFiles(directory, stream).head);
  const highest = (await listFiles(directory, stream)).at(-1) ?? 0;
  if (head === undefined || head === 'damaged') {
    if (head === undefined && highest === 0) return withoutAnything(directory, stream);
    return withoutHead(directory, stream, highest);
  }
  if (highest === 0 && head.seq === 0) return { ...withGap(head, 0, '', true), gap: undefined };
  if (highest < head.file) return withGap(head, highest, 'the last file is missing', true);
  const { tail, number } = await readHighest(directory, stream, highest, head);
  if (!tail.hasAnchor || (tail.last === undefined && head.seq > 0))
    return withGap(head, highest, 'the last lines are missing or changed', true);
  const { last } = tail;
  return {
    last: last === undefined ? head : { seq: last.line.seq, file: number, hash: last.hash },
    sealed: head.sealed,
    isNew: false,
    hasHead: true,
    file: { number: highest, size: tail.size, time: last?.line.time ?? '' },
    torn: tail.torn,
    gap: undefined,
    highest,
  };
}
