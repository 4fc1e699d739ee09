import { basename } from 'node:path';
import { type Line, parseLine, trailFiles } from './format.ts';
import { readLines } from './lines.ts';
import { listFiles, listStreams } from './streams.ts';

/** Which lines are wanted. Times are milliseconds since 1970. */
export interface Wanted {
  since?: number | undefined;
  until?: number | undefined;
  /** The name of an event, or its first part: `deposit` stands for `deposit.put` and all its kind. */
  event?: string | undefined;
  /** A part of who did it. */
  who?: string | undefined;
}

/** A line, and the stream that it stands in. */
export interface ShownLine extends Line {
  stream: string;
}

/** Whether a line is wanted. */
function isWanted({ event, who, time }: Line, wanted: Wanted): boolean {
  const at = Date.parse(time);
  if (wanted.since !== undefined && at < wanted.since) return false;
  if (wanted.until !== undefined && at >= wanted.until) return false;
  if (wanted.who !== undefined && !who.includes(wanted.who)) return false;
  return wanted.event === undefined || event === wanted.event || event.startsWith(`${wanted.event}.`);
}

/** The lines of a stream, a piece at a time. What is no line is told of by `skip`. */
async function* linesOf(
  directory: string,
  stream: string,
  wanted: Wanted,
  skip: (place: string) => void,
): AsyncGenerator<ShownLine[]> {
  for (const number of await listFiles(directory, stream)) {
    const path = trailFiles(directory, stream).file(number);
    let count = 0;
    for await (const piece of readLines(path)) {
      const found: ShownLine[] = [];
      for (const bytes of piece) {
        count += 1;
        const line = parseLine(bytes.toString('utf8'));
        if (line === undefined) skip(`${basename(path)} line ${count}`);
        else if (isWanted(line, wanted)) found.push({ stream, ...line });
      }
      if (found.length > 0) yield found;
    }
  }
}

/** The lines of all streams by their time; those of one stream stay in their order. */
export async function* showTrail(
  directory: string,
  wanted: Wanted,
  skip: (place: string) => void,
): AsyncGenerator<ShownLine> {
  const sources = (await listStreams(directory)).map((stream) => ({
    pieces: linesOf(directory, stream, wanted, skip),
    held: [] as ShownLine[],
    next: 0,
  }));
  const fill = async (source: (typeof sources)[number]) => {
    if (source.next < source.held.length) return;
    source.held = (await source.pieces.next()).value ?? [];
    source.next = 0;
  };
  for (;;) {
    let first: (typeof sources)[number] | undefined;
    for (const source of sources) {
      await fill(source);
      const line = source.held[source.next];
      if (line === undefined) continue;
      const earliest = first?.held[first.next];
      if (earliest === undefined || line.time < earliest.time) first = source;
    }
    const line = first?.held[first.next];
    if (first === undefined || line === undefined) return;
    first.next += 1;
    yield line;
  }
}
