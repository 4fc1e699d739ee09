import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hashOf, type Line, type Position, parseLine } from './format.ts';

/** How much of a file's end is read first; doubled until what is looked for is in it. */
const WINDOW = 64 * 1024;

const NEWLINE = 0x0a;

/** The end of a file. */
export interface Tail {
  /** The bytes up to the last newline. */
  size: number;
  /** The last line; undefined where there is none. */
  last: { line: Line; hash: string } | undefined;
  /** Whether the line that was looked for is there, or the one that follows it. */
  hasAnchor: boolean;
  /** What stands behind the last newline: a line that a killed run did not finish. */
  torn: { size: number; sha256: string } | undefined;
}

async function readEnd(handle: FileHandle, size: number, window: number): Promise<Buffer> {
  const length = Math.min(size, window);
  const piece = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(piece, filled, length - filled, size - length + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return piece.subarray(0, filled);
}

/** The complete lines of a piece; the first one is left out where the piece may begin within it. */
function wholeLines(piece: Buffer, isWhole: boolean): string[] {
  const lines = piece
    .subarray(0, piece.lastIndexOf(NEWLINE) + 1)
    .toString('utf8')
    .split('\n');
  return lines.slice(isWhole ? 0 : 1, -1);
}

/** Looks from the end for the anchor, or for the line that names it as the one before. */
function findAnchor(lines: string[], anchor: Position): boolean | 'further' {
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const text = lines[index] ?? '';
    const line = parseLine(text);
    if (line === undefined) return false;
    if (line.seq === anchor.seq + 1) return line.previous === anchor.hash;
    if (line.seq <= anchor.seq) return line.seq === anchor.seq && hashOf(text) === anchor.hash;
  }
  return 'further';
}

async function examine(handle: FileHandle, anchor: Position): Promise<Tail> {
  const { size } = await handle.stat();
  for (let window = WINDOW; ; window *= 2) {
    const piece = await readEnd(handle, size, window);
    const isWhole = window >= size;
    const lines = wholeLines(piece, isWhole);
    const found = findAnchor(lines, anchor);
    if (found === 'further' && !isWhole) continue;
    const rest = piece.subarray(piece.lastIndexOf(NEWLINE) + 1);
    const text = lines.at(-1);
    const line = text === undefined ? undefined : parseLine(text);
    return {
      size: size - rest.length,
      last: text === undefined || line === undefined ? undefined : { line, hash: hashOf(text) },
      hasAnchor: found === true,
      torn:
        rest.length === 0
          ? undefined
          : { size: rest.length, sha256: createHash('sha256').update(rest).digest('hex') },
    };
  }
}

/** Reads the end of a file of the trail as far back as a line that is known to have been on the disk. */
export async function readTail(path: string, anchor: Position): Promise<Tail> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return await examine(handle, anchor);
  } finally {
    await handle.close();
  }
}
