import { readdir } from 'node:fs/promises';
import { errorCode, failure } from '../core/errors.ts';
import { fileNumber, trailFiles } from './format.ts';
import { readHead } from './head.ts';

const OF_STREAM = /^(server-[1-9][0-9]{0,3}|command)[.](?:[0-9]{8}[.]jsonl|head)$/;

async function readTrail(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    const hint = 'the server and the first command make it; where there was one, somebody has removed it';
    throw failure('notFound', `there is no audit trail in ${directory}`, hint);
  }
}

/** The streams of which a directory holds anything, sorted. */
export async function listStreams(directory: string): Promise<string[]> {
  const names = await readTrail(directory);
  return [...new Set(names.flatMap((name) => OF_STREAM.exec(name)?.[1] ?? []))].toSorted();
}

/** The numbers of a stream's files, ascending. */
export async function listFiles(directory: string, stream: string): Promise<number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => fileNumber(stream, name) ?? []).toSorted((a, b) => a - b);
}

/** How many lines each of the other streams has: a file that begins says so, and then none of them can go unnoticed. */
export async function countOthers(directory: string, stream: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of await listStreams(directory)) {
    if (name === stream) continue;
    const head = await readHead(trailFiles(directory, name).head).catch(() => undefined);
    if (typeof head === 'object') counts[name] = head.seq;
  }
  return counts;
}
