import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Line, parseLine, trailFiles } from './format.ts';
import { readHead } from './head.ts';
import { readLines } from './lines.ts';
import { listFiles, listStreams } from './streams.ts';

/** What the other streams say of one: how many lines it had at least, and the hashes of some of them by their numbers. */
export interface Mentioned {
  most: number;
  hashes: Map<number, string>;
}

/** The stream that mentions the others again and again, and not only where a file begins. */
export const COMMAND = 'command';

const HASH = '.hash';

/** The last line on the disk of each of the other streams: its number and, under `<stream>.hash`, its hash. */
export async function describeOthers(
  directory: string,
  stream: string,
): Promise<Record<string, number | string>> {
  const others: Record<string, number | string> = {};
  for (const name of await listStreams(directory)) {
    if (name === stream) continue;
    const head = await readHead(trailFiles(directory, name).head).catch(() => undefined);
    if (typeof head === 'object' && head.seq > 0)
      Object.assign(others, { [name]: head.seq, [`${name}${HASH}`]: head.hash });
  }
  return others;
}

/** Whether a line says what the other streams have. */
function isMention({ event }: Line): boolean {
  return event === 'audit.open' || event === 'audit.mention';
}

function take(all: Map<string, Mentioned>, { what }: Line): void {
  for (const [name, seq] of Object.entries(what ?? {})) {
    if (typeof seq !== 'number') continue;
    const mentioned = all.get(name) ?? { most: 0, hashes: new Map<number, string>() };
    all.set(name, mentioned);
    mentioned.most = Math.max(mentioned.most, seq);
    const hash = what[`${name}${HASH}`];
    if (typeof hash !== 'string') continue;
    // Two hashes of one line: no line can have both.
    const known = mentioned.hashes.get(seq) ?? hash;
    mentioned.hashes.set(seq, known === hash ? hash : 'one of two');
  }
}

/** What the streams of a directory say of each other. Lines that are mentioned are on the disk already. */
export async function readMentions(directory: string): Promise<Map<string, Mentioned>> {
  const all = new Map<string, Mentioned>();
  for (const stream of await listStreams(directory)) {
    for (const number of await listFiles(directory, stream)) {
      for await (const lines of readLines(trailFiles(directory, stream).file(number))) {
        for (const bytes of stream === COMMAND ? lines : lines.slice(0, 1)) {
          const line = bytes.includes('"audit.') ? parseLine(bytes.toString('utf8')) : undefined;
          if (line !== undefined && isMention(line)) take(all, line);
        }
        if (stream !== COMMAND) break;
      }
    }
  }
  return all;
}

/** So far from its end a file is searched for the last mention; without one, the others are mentioned again. */
const WINDOW = 64 * 1024;

/** What the last mention in a file says. */
export async function lastMention(path: string): Promise<Line['what'] | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(WINDOW),
      0,
      WINDOW,
      Math.max(0, size - WINDOW),
    );
    const texts = buffer.subarray(0, bytesRead).toString('utf8').split('\n');
    const lines = texts.filter((text) => text.includes('"audit.')).map(parseLine);
    return lines.findLast((line) => line !== undefined && isMention(line))?.what;
  } finally {
    await handle.close();
  }
}
