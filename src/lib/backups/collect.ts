import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { TarMember } from '../archive/member.ts';
import { findAccount } from '../core/account.ts';
import { errorCode, failure } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';

/** A file or directory of the configuration directory with its bytes. */
export interface CollectedMember {
  member: TarMember;
  data: Buffer;
  sha256: string | null;
}

/** What is backed up, and what was left out on purpose. */
export interface Collection {
  members: CollectedMember[];
  excluded: string[];
}

/** The configuration directory is small; more than this is a mistake. Bytes. */
const SIZE_LIMIT = 256 * 1024 * 1024;
const ATTEMPTS = 3;

/** GnuPG's locks, seeds and what an unfinished run of ours left: of no use on another day (hazard GP-10). */
const TRANSIENT = /^(?:\.#lk.*|.*\.lock|S\..*|random_seed|\.init-.*|.*\.part)$/;

/** Whether what was left out is of no use, so that nobody has to be told of it. */
export function isTransient(path: string): boolean {
  return TRANSIENT.test(basename(path));
}

/** A file or directory that belongs into a set. */
export interface Place {
  path: string;
  type: 'File' | 'Directory';
}

/** Whether a name is left out; `beside` are all names of its directory. */
type LeftOut = (name: string, beside: string[]) => boolean;

/** What lies at a path. A link is taken for what it points at, so that the set is whole and its restore follows no link. */
async function look(path: string) {
  const stats = await lstat(path);
  return stats.isSymbolicLink() ? await stat(path).catch(() => undefined) : stats;
}

/** A link that leads back above itself would never end. */
async function checkLoop(directory: string, above: string[]): Promise<string[]> {
  const real = await realpath(directory);
  if (above.includes(real))
    throw failure('failed', `${directory} is a link to a directory above it`, `rm ${directory}`);
  return [...above, real];
}

/** Everything below a directory, each directory before what is in it; what is left out is added to `excluded`. */
export async function walk(
  directory: string,
  excluded: string[],
  isLeftOut: LeftOut = (name) => TRANSIENT.test(name),
  above: string[] = [],
): Promise<Place[]> {
  const chain = await checkLoop(directory, above);
  const places: Place[] = [{ path: directory, type: 'Directory' }];
  const names = (await readdir(directory)).toSorted();
  for (const name of names) {
    const path = join(directory, name);
    if (name.includes('\ufffd')) throw failure('failed', `${path}: the name is not UTF-8`, 'rename the file');
    const stats = isLeftOut(name, names) ? undefined : await look(path);
    if (stats?.isDirectory() === true) places.push(...(await walk(path, excluded, isLeftOut, chain)));
    else if (stats?.isFile() === true) places.push({ path, type: 'File' });
    else excluded.push(path);
  }
  return places;
}

async function read(place: Place, names: (uid: number) => Promise<string>): Promise<CollectedMember> {
  const handle = await open(place.path, constants.O_RDONLY);
  try {
    const before = await handle.stat();
    if (before.size > SIZE_LIMIT)
      throw failure('failed', `${place.path} is too large for a configuration file`);
    const data = place.type === 'File' ? await handle.readFile() : Buffer.alloc(0);
    const owner = await names(before.uid);
    const member: TarMember = {
      path: place.path.replace(/^\/+/, ''),
      type: place.type,
      size: data.length,
      mode: before.mode & 0o777,
      owner,
      group: owner,
      uid: before.uid,
      gid: before.gid,
      modified: before.mtime,
    };
    return {
      member,
      data,
      sha256: place.type === 'File' ? createHash('sha256').update(data).digest('hex') : null,
    };
  } finally {
    await handle.close();
  }
}

function accountNames(): (uid: number) => Promise<string> {
  const known = new Map<number, string>();
  return async (uid) => {
    const name = known.get(uid) ?? (await findAccount(uid))?.name ?? '';
    known.set(uid, name);
    return name;
  };
}

async function collectOnce(confdir: string): Promise<Collection> {
  const excluded: string[] = [];
  const names = accountNames();
  const members: CollectedMember[] = [];
  let total = 0;
  for (const place of await walk(confdir, excluded)) {
    const collected = await read(place, names);
    total += collected.data.length;
    if (total > SIZE_LIMIT) throw failure('failed', `${confdir} holds more than ${SIZE_LIMIT} bytes`);
    members.push(collected);
  }
  return { members, excluded };
}

const summary = (collection: Collection | undefined) =>
  collection?.members
    .map(({ member, sha256 }) => `${member.path} ${member.mode} ${member.uid} ${sha256}`)
    .join('\n');

/** One reading, or undefined when something disappeared in the middle of it. */
async function tryOnce(confdir: string): Promise<Collection | undefined> {
  try {
    return await collectOnce(confdir);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Reads the configuration directory into memory, and again, until two readings are the same: what changed while it was
 * read would be neither the old state nor the new one (hazard PG-18).
 */
export async function collectConfdir(confdir: string): Promise<Collection> {
  let previous = await tryOnce(confdir);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    checkInterruption();
    const next = await tryOnce(confdir);
    if (next !== undefined && summary(next) === summary(previous)) return next;
    previous = next;
  }
  throw failure(
    'failed',
    `${confdir} keeps changing while it is read`,
    'run the backup again when nothing changes it',
  );
}
