import { readdir } from 'node:fs/promises';
import { errorCode, failure } from '../core/errors.ts';
import { fileNumber } from './format.ts';

const OF_STREAM = /^(server-[1-9][0-9]{0,3}|command)[.](?:[0-9]{8}[.]jsonl(?:[.]seal[.]asc)?|head)$/;

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

/** Files that look like ones of the trail and belong to no stream. */
export async function listStrangers(directory: string): Promise<string[]> {
  const names = await readTrail(directory);
  return names.filter((name) => name.endsWith('.jsonl') && !OF_STREAM.test(name)).toSorted();
}

/** The numbers of a stream's files, ascending. */
export async function listFiles(directory: string, stream: string): Promise<number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => fileNumber(stream, name) ?? []).toSorted((a, b) => a - b);
}
