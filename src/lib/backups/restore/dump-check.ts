import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { type FoundMember, readSmallMember } from '../../archive/read.ts';
import { failure } from '../../core/errors.ts';
import { DUMP_WINDOW, dumpIsComplete } from '../../database/dump.ts';
import type { Manifest } from '../manifest.ts';
import { dataDirectory, loadScript } from '../script.ts';

/** A set that is not as it was made. */
export const untrusted = (why: string) =>
  failure('untrusted', `the set is not whole: ${why}`, 'use another backup set');

async function checkWhole(handle: FileHandle, dump: FoundMember): Promise<void> {
  const length = Math.min(DUMP_WINDOW, dump.size);
  const [start, end] = [Buffer.alloc(length), Buffer.alloc(length)];
  await handle.read(start, 0, length, dump.offset);
  await handle.read(end, 0, length, dump.offset + dump.size - length);
  if (!dumpIsComplete(start, end)) throw untrusted('the database dump in it is not complete');
}

/** The files of the dump are those that its script reads, and what pg_dump wrote is whole. */
export async function checkDump(handle: FileHandle, dump: FoundMember, parts: FoundMember[]): Promise<void> {
  if (parts.length === 0) return checkWhole(handle, dump);
  const names = parts.map(({ path }) => basename(path));
  const expected = loadScript(basename(dump.path, '.sql'), names);
  const script = (await readSmallMember(handle, dump)).toString('utf8');
  const isPlaced = parts.every(({ path }) => path === dataDirectory(dump.path) + basename(path));
  if (script !== expected || !isPlaced)
    throw untrusted('its script reads other files than those of the dump');
  for (const part of parts) if (part.path.endsWith('.sql')) await checkWhole(handle, part);
}

/** The files that the script of a set reads, as its manifest lists them. */
export function findParts(members: FoundMember[], { database }: Manifest): FoundMember[] {
  const byPath = new Map(members.map((member) => [member.path, member]));
  return database.parts.map((path) => {
    const found = byPath.get(path);
    if (found?.type !== 'File') throw untrusted(`${path} is missing`);
    return found;
  });
}

/** Whether a member belongs to the dump: its script, the directory of its files, or one of them. */
export function isOfDump({ path }: FoundMember, { database }: Manifest): boolean {
  const own = [database.member, ...database.parts];
  if (database.parts.length > 0) own.push(dataDirectory(database.member).slice(0, -1));
  return own.includes(path);
}
