import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { digestOf } from '../core/digest.ts';
import { lstatOrNothing, readSmallFile, replaceFile } from '../core/files.ts';
import { reached } from '../core/steps.ts';
import { hashOf, NOTHING, type Position, parseLine, trailFiles } from './format.ts';
import type { Stream } from './stream.ts';
import { syncSoon } from './sync.ts';
import { readTail } from './tail.ts';

/** A seal is no larger than this. */
export const SEAL_LIMIT = 64 * 1024;

/** Asks for nothing but the last line. */
const NOWHERE: Position = { file: 0, seq: Number.MAX_SAFE_INTEGER, hash: NOTHING };

/** What a seal says of a file that is finished, and of the seal before. */
export interface Seal {
  stream: string;
  file: number;
  firstSeq: number;
  lastSeq: number;
  lines: number;
  size: number;
  sha256: string;
  /** The hash of the last line. */
  hash: string;
  /** SHA-256 of the seal of the file before. */
  previous: string;
}

/** Reads the whole file: what it begins and ends with, and its digest. */
async function describe(stream: Stream, number: number): Promise<Seal> {
  const files = trailFiles(stream.directory, stream.name);
  const path = files.file(number);
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const start = await handle.read(Buffer.alloc(SEAL_LIMIT), 0, SEAL_LIMIT, 0);
    const first = parseLine(start.buffer.subarray(0, start.bytesRead).toString('utf8').split('\n')[0] ?? '');
    const { last } = await readTail(path, NOWHERE);
    const before = number === 1 ? undefined : await readSmallFile(files.seal(number - 1), SEAL_LIMIT);
    const firstSeq = first?.seq ?? 0;
    const lastSeq = last?.line.seq ?? 0;
    return {
      stream: stream.name,
      file: number,
      firstSeq,
      lastSeq,
      lines: first === undefined ? 0 : lastSeq - firstSeq + 1,
      ...(await digestOf(handle)),
      hash: last?.hash ?? NOTHING,
      previous: before === undefined ? NOTHING : hashOf(before),
    };
  } finally {
    await handle.close();
  }
}

async function sealFiles(stream: Stream): Promise<void> {
  const { directory, name, options } = stream;
  const files = trailFiles(directory, name);
  while (stream.sealed < stream.highest - 1) {
    const number = stream.sealed + 1;
    if ((await lstatOrNothing(files.file(number))) !== undefined) {
      const seal = await describe(stream, number);
      await replaceFile(files.seal(number), await options.sign(`${JSON.stringify(seal)}\n`));
    }
    reached('audit-sealed');
    stream.sealed = number;
    syncSoon(stream);
  }
}

/**
 * Seals the files that are finished, in the background, and also those that a killed run left unsealed. Where that fails it is
 * done when the next file is begun, or when the stream is opened again.
 */
export function sealFinished(stream: Stream): void {
  stream.sealing ??= sealFiles(stream)
    .catch(() => undefined)
    .finally(() => {
      stream.sealing = undefined;
    });
}
