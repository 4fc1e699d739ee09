import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { lstatOrNothing, readSmallFile } from '../core/files.ts';
import { blame, type Chain, type Fault, follow, newChain } from './chain.ts';
import { type Head, hashOf, NOTHING, trailFiles } from './format.ts';
import { readHead } from './head.ts';
import { type FileEnd, readLines } from './lines.ts';
import type { Mentioned } from './mentions.ts';
import { SEAL_LIMIT, type Seal } from './seal.ts';
import { listFiles } from './streams.ts';

/** What a stream was found to be. */
export interface StreamReport {
  stream: string;
  files: number;
  lines: number;
  /** Files whose seal is good; and finished ones that the server has not sealed yet. */
  sealed: number;
  unsealed: number;
  faults: Fault[];
}

/** Gives out what a seal says, where the server's key has signed it; else throws. */
export type OpenSeal = (signed: string) => Promise<string>;

/** Where a stream is, and how its seals are opened. */
export interface StreamToVerify {
  directory: string;
  stream: string;
  openSeal: OpenSeal;
  /** What the other streams say of it. */
  mentioned: Mentioned | undefined;
}

/** How often a record is read again that is being written over, and how long after; milliseconds. */
const TRIES = 5;
const RETRY = 50;

async function readHeadCalmly(path: string): Promise<Head | 'damaged' | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const head = await readHead(path);
    if (head !== 'damaged' || attempt === TRIES) return head;
    await pause(RETRY);
  }
}

/** Compares what a seal says with what the file is. */
function compareSeal(said: Partial<Seal>, found: Seal): string | undefined {
  const different = Object.entries(found).filter(([key, value]) => said[key as keyof Seal] !== value);
  if (different.length === 0) return undefined;
  return `the file is not the one that was sealed: ${different.map(([key]) => key).join(', ')} differ`;
}

async function judgeSeal(
  { directory, stream, openSeal }: StreamToVerify,
  chain: Chain,
  number: number,
  end: FileEnd,
): Promise<string | undefined> {
  const files = trailFiles(directory, stream);
  const signed = await readSmallFile(files.seal(number), SEAL_LIMIT);
  if (signed === undefined) return 'the seal is missing';
  const before = number === 1 ? undefined : await readSmallFile(files.seal(number - 1), SEAL_LIMIT);
  const { size, sha256 } = end;
  const found: Seal = {
    ...{ stream, file: number, firstSeq: chain.first, lastSeq: chain.last.seq, lines: chain.inFile },
    ...{ size, sha256, hash: chain.last.hash, previous: before === undefined ? NOTHING : hashOf(before) },
  };
  try {
    return compareSeal(JSON.parse(await openSeal(signed)) as Partial<Seal>, found);
  } catch {
    return "the seal is not by the server's key, or was changed";
  }
}

/** Compares a line with what another stream has seen in its place; one fault is enough, the next ones only follow from it. */
function compareMention(chain: Chain, mentioned: Mentioned | undefined, place: Omit<Fault, 'fault'>): void {
  const { seq, hash } = chain.last;
  if (chain.isOther || (mentioned?.hashes.get(seq) ?? hash) === hash) return;
  chain.isOther = true;
  const fault = `another stream has seen another line with number ${seq}: this one was changed, or the stream begun anew`;
  blame(chain, { ...place, fault });
}

/** Reads one file of the stream, the last one or another; true where it has a seal, and that is good. */
async function readFile(
  request: StreamToVerify,
  chain: Chain,
  { number, isLast }: { number: number; isLast: boolean },
  head: Head,
): Promise<boolean> {
  const files = trailFiles(request.directory, request.stream);
  const file = basename(files.file(number));
  const pieces = readLines(files.file(number));
  let line = 0;
  let piece = await pieces.next();
  for (; piece.done !== true; piece = await pieces.next()) {
    for (const bytes of piece.value) {
      line += 1;
      follow(chain, bytes, { file, line, number }, head);
      compareMention(chain, request.mentioned, { file, line });
    }
  }
  const end = piece.value;
  if (isLast) return false;
  if (end.rest > 0) blame(chain, { file, fault: 'its last line is cut off' });
  const hasSeal = (await lstatOrNothing(files.seal(number))) !== undefined;
  if (!hasSeal && number > head.sealed) return false;
  const fault = await judgeSeal(request, chain, number, end);
  if (fault !== undefined) blame(chain, { file: basename(files.seal(number)), fault });
  return fault === undefined;
}

function judgeEnd(chain: Chain, head: Head, file: string, last: number): void {
  if (head.seq === 0 || chain.hasHead) return;
  const { seq } = chain.last;
  const lost = `the end is missing: the last number was ${head.seq}, and ${seq} is the last that is there`;
  const other = `number ${head.seq} is not the line that was written`;
  if (head.file > last) blame(chain, { file, fault: `file ${head.file} is missing; ${lost}` });
  else blame(chain, { file, fault: seq < head.seq ? lost : other });
}

async function readStream(
  request: StreamToVerify,
  found: Head | 'damaged' | undefined,
): Promise<StreamReport> {
  const { directory, stream } = request;
  const numbers = await listFiles(directory, stream);
  const last = numbers.at(-1) ?? 0;
  const chain = newChain();
  const files = trailFiles(directory, stream);
  const head = typeof found === 'object' ? found : { file: 0, seq: 0, hash: NOTHING, sealed: 0 };
  let sealed = 0;
  let expected = 1;
  for (const number of numbers) {
    for (; expected < number; expected += 1)
      blame(chain, { file: basename(files.file(expected)), fault: 'the file is missing' });
    expected = number + 1;
    if (await readFile(request, chain, { number, isLast: number === last }, head)) sealed += 1;
  }
  const file = basename(files.head);
  if (typeof found === 'object') judgeEnd(chain, head, file, last);
  else blame(chain, { file, fault: `the head record is ${found ?? 'missing'}` });
  const unsealed = Math.max(0, numbers.length - 1 - sealed);
  const { lines, faults } = chain;
  const most = request.mentioned?.most ?? 0;
  if (faults.length === 0 && chain.last.seq < most)
    blame(chain, { file, fault: `lines are missing: another stream says that it had ${most} at least` });
  return { stream, files: numbers.length, lines, sealed, unsealed, faults };
}

/**
 * Verifies a stream. The head record is read before the files, so that a server that writes meanwhile is only ever further than
 * it says; one that was read while it was being written over is read again.
 */
export async function verifyStream(request: StreamToVerify): Promise<StreamReport> {
  const path = trailFiles(request.directory, request.stream).head;
  for (let attempt = 1; ; attempt += 1) {
    const head = await readHeadCalmly(path);
    const report = await readStream(request, head);
    const isWrongAtEnd = report.faults.some(({ file }) => file === basename(path));
    if (!isWrongAtEnd || attempt === TRIES) return report;
    const now = await readHeadCalmly(path);
    if (JSON.stringify(now) === JSON.stringify(head)) return report;
  }
}
