import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { checkInterruption } from '../core/interrupt.ts';

const PIECE = 1024 * 1024;
const NEWLINE = 0x0a;

/** Longer lines the program does not write; what has no newline for so long is not a file of the trail. */
const LONGEST = 16 * PIECE;

/** What a file of the trail was found to be, once all its lines were read. */
export interface FileEnd {
  size: number;
  sha256: string;
  /** Bytes behind the last newline: a line that is being written, or that a killed run did not finish. */
  rest: number;
}

/** The complete lines of a piece of data, as their bytes without the newline, and what stands behind the last one. */
function cutLines(data: Buffer): { lines: Buffer[]; rest: Buffer } {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = data.indexOf(NEWLINE); end !== -1; end = data.indexOf(NEWLINE, start)) {
    lines.push(data.subarray(start, end));
    start = end + 1;
  }
  return { lines, rest: data.subarray(start) };
}

/** Reads the complete lines of a file, a piece at a time. */
export async function* readLines(path: string): AsyncGenerator<Buffer[], FileEnd> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const digest = createHash('sha256');
  let rest: Buffer = Buffer.alloc(0);
  let size = 0;
  try {
    for (;;) {
      checkInterruption();
      const piece = Buffer.alloc(PIECE);
      const { bytesRead } = await handle.read(piece, 0, PIECE, size);
      if (bytesRead === 0 || rest.length > LONGEST)
        return { size, sha256: digest.digest('hex'), rest: rest.length };
      const read = piece.subarray(0, bytesRead);
      digest.update(read);
      size += bytesRead;
      const cut = cutLines(rest.length === 0 ? read : Buffer.concat([rest, read]));
      rest = cut.rest;
      yield cut.lines;
    }
  } finally {
    await handle.close();
  }
}
