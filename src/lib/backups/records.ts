import type { BigIntStats } from 'node:fs';
import { type FileHandle, lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod/mini';
import { KeyTrusteeError } from '../core/errors.ts';
import { exists, readSmallFile, replaceFile } from '../core/files.ts';
import { withLock } from '../core/lock.ts';
import { beginning, beginningOf, type SetHost } from './name.ts';

const identity = z.strictObject({
  dev: z.string(),
  ino: z.string(),
  size: z.string(),
  mtime: z.string(),
  ctime: z.string(),
});
const time = z.iso.datetime();
const record = z.object({
  file: identity,
  verifiedAt: z.nullable(time),
  drilledAt: z.nullable(time),
  outcome: z.enum(['good', 'damaged']),
});
const recordsSchema = z.object({ format: z.literal(1), sets: z.record(z.string(), record) });

/** Which file it was that was checked: what changes in it changes one of these. Times in nanoseconds. */
export type FileIdentity = z.infer<typeof identity>;

/** What is remembered of a set: of which file, when it was checked in which way, and what came out last. */
export type SetRecord = z.infer<typeof record>;

/** What was found out about a set, and about which file. */
export interface Check {
  file: FileIdentity;
  outcome: SetRecord['outcome'];
  at?: Date;
}

const SIZE_LIMIT = 16 * 1024 * 1024;

/** How long one waits for another writer, who needs milliseconds: attempts, and milliseconds between them. */
const ATTEMPTS = 200;
const PAUSE = 50;

const toIdentity = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileIdentity => ({
  dev: String(dev),
  ino: String(ino),
  size: String(size),
  mtime: String(mtimeNs),
  ctime: String(ctimeNs),
});

/** Which file a handle is open on, or lies at a path. */
export async function identityOf(file: FileHandle | string): Promise<FileIdentity> {
  const options = { bigint: true } as const;
  return toIdentity(typeof file === 'string' ? await lstat(file, options) : await file.stat(options));
}

/** Whether a file is the one that was checked, and nothing has touched it since. */
export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return (Object.keys(a) as (keyof FileIdentity)[]).every((key) => a[key] === b[key]);
}

/** Where the records of a host's sets in a directory lie. */
export function recordsPath(directory: string, host: SetHost): string {
  return pathOf(directory, beginning(host));
}

const pathOf = (directory: string, begins: string) => join(directory, `.${begins}.records.json`);

/** What is remembered of sets by their names; `fault` says why that is less than it was. */
export interface Records {
  sets: Map<string, SetRecord>;
  fault: string | undefined;
}

/** Reads the records of a host's sets. They are no more than a help: where they are damaged, one starts anew. */
export async function readRecords(directory: string, host: SetHost): Promise<Records> {
  return read(recordsPath(directory, host));
}

async function read(path: string): Promise<Records> {
  try {
    const text = await readSmallFile(path, SIZE_LIMIT);
    if (text === undefined) return { sets: new Map(), fault: undefined };
    return { sets: new Map(Object.entries(recordsSchema.parse(JSON.parse(text)).sets)), fault: undefined };
  } catch {
    return {
      sets: new Map(),
      fault: `${path} cannot be read: when sets were verified is not known any more`,
    };
  }
}

async function whenFree<T>(directory: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withLock(directory, 'writer of backup records', work);
    } catch (error) {
      if (!(error instanceof KeyTrusteeError && error.code === 'locked') || attempt === ATTEMPTS) throw error;
      await setTimeout(PAUSE);
    }
  }
}

async function change(path: string, check: Check, times: Partial<SetRecord>): Promise<SetRecord | undefined> {
  const directory = dirname(path);
  const name = basename(path);
  const begins = beginningOf(name);
  // A set that was given another name belongs to nobody's list.
  if (begins === undefined) return undefined;
  const place = pathOf(directory, begins);
  return whenFree(directory, async () => {
    const { sets } = await read(place);
    const before = sets.get(name);
    const same = before !== undefined && isSameFile(before.file, check.file) ? before : undefined;
    const { file, outcome } = check;
    const known = { verifiedAt: same?.verifiedAt ?? null, drilledAt: same?.drilledAt ?? null };
    const record = { file, outcome, ...known, ...times };
    sets.set(name, record);
    for (const each of sets.keys()) if (!(await exists(join(directory, each)))) sets.delete(each);
    const text = JSON.stringify({ format: 1, sets: Object.fromEntries(sets) }, null, 2);
    await replaceFile(place, `${text}\n`);
    return record;
  });
}

/** Remembers that a set's file was read whole and compared with what the server signed. */
export async function recordVerified(path: string, check: Check): Promise<SetRecord | undefined> {
  const verifiedAt = (check.at ?? new Date()).toISOString();
  return change(path, check, { verifiedAt });
}

/** Remembers that a set was restored for trial, which verifies it too. */
export async function recordDrilled(path: string, check: Check): Promise<SetRecord | undefined> {
  const at = (check.at ?? new Date()).toISOString();
  return change(path, check, { verifiedAt: at, drilledAt: at });
}
