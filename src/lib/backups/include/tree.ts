import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { TarMember } from '../../archive/member.ts';
import { findAccount, groupName } from '../../core/account.ts';
import { digestOf } from '../../core/digest.ts';
import { errorCode, failure, KeyTrusteeError } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import { type Place, walk } from '../collect.ts';

/** A file or directory of an included directory. Its bytes are read again when they go into the set. */
export interface IncludedMember {
  member: TarMember;
  place: string;
  sha256: string | null;
}

/** What goes into a client's set, and what was left out on purpose. */
export interface Tree {
  members: IncludedMember[];
  excluded: string[];
}

/** These directories hold keys and settings; more than this is a mistake, like `--include /`. Bytes, and members. */
const SIZE_LIMIT = 1024 ** 3;
const MEMBER_LIMIT = 50_000;

const tooMuch = (path: string) =>
  failure('failed', `${path}: more than 1 GiB or ${MEMBER_LIMIT} files are not taken`, 'include less');

/** In a GnuPG home, and nowhere else: locks and the seed file, of no use on another day (hazard GP-10). */
const TRANSIENT = /^(?:\.#lk.*|.*\.lock|random_seed)$/;
const OF_GNUPG = ['pubring.kbx', 'pubring.gpg', 'private-keys-v1.d'];
const isLeftOut = (name: string, beside: string[]) =>
  TRANSIENT.test(name) && OF_GNUPG.some((each) => beside.includes(each));

/** Something changed between two readings: it is worth another try. */
export class Changed extends KeyTrusteeError {
  constructor(path: string) {
    super(
      'failed',
      `${path} keeps changing while it is read`,
      'run the backup again when nothing changes it',
    );
  }
}

/** Opens what is still what the walk has seen. A FIFO that was put in its place must not keep it waiting. */
async function openPlace({ path, type }: Place): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = await handle.stat();
  if (type === 'File' ? stats.isFile() : stats.isDirectory()) return handle;
  await handle.close();
  throw new Changed(path);
}

async function ownersOf(uid: number, gid: number, known: Map<string, string>) {
  const owner = known.get(`u${uid}`) ?? (await findAccount(uid))?.name ?? `#${uid}`;
  const group = known.get(`g${gid}`) ?? (await groupName(gid)) ?? `#${gid}`;
  known.set(`u${uid}`, owner).set(`g${gid}`, group);
  return { owner, group };
}

async function read(place: Place, known: Map<string, string>): Promise<IncludedMember> {
  const handle = await openPlace(place);
  try {
    const { uid, gid, mode, mtime, size: expected } = await handle.stat();
    const isFile = place.type === 'File';
    if (isFile && expected > SIZE_LIMIT) throw tooMuch(place.path);
    const { size, sha256 } = isFile ? await digestOf(handle) : { size: 0, sha256: null };
    const path = place.path.replace(/^\/+/, '');
    const owners = await ownersOf(uid, gid, known);
    const member = { path, type: place.type, size, mode: mode & 0o777, ...owners, uid, gid, modified: mtime };
    return { member, place: place.path, sha256 };
  } finally {
    await handle.close();
  }
}

async function readOnce(directories: string[]): Promise<Tree> {
  const excluded: string[] = [];
  const members: IncludedMember[] = [];
  const known = new Map<string, string>();
  let total = 0;
  for (const directory of directories) {
    for (const place of await walk(directory, excluded, isLeftOut)) {
      checkInterruption();
      const found = await read(place, known);
      total += found.member.size;
      if (total > SIZE_LIMIT || members.length >= MEMBER_LIMIT) throw tooMuch(directory);
      members.push(found);
    }
  }
  return { members, excluded };
}

const summary = (tree: Tree | undefined) =>
  tree?.members
    .map(({ member: { path, mode, owner, group }, sha256 }) => `${path} ${mode} ${owner} ${group} ${sha256}`)
    .join('\n');

/** One reading, or undefined when something disappeared in the middle of it. */
async function tryOnce(directories: string[]): Promise<Tree | undefined> {
  try {
    return await readOnce(directories);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof Changed) return undefined;
    throw error;
  }
}

/** Reads directories, and again, until two readings are the same (hazard PG-18). */
export async function readTree(directories: string[], attempts = 3): Promise<Tree> {
  let previous = await tryOnce(directories);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const next = await tryOnce(directories);
    if (next !== undefined && summary(next) === summary(previous)) return next;
    previous = next;
  }
  throw new Changed(directories.join(', '));
}

/** The bytes of a member, once more; fails where they are not those that were read before. */
export async function* contentOf({ place, member, sha256 }: IncludedMember): AsyncGenerator<Buffer> {
  if (member.type === 'Directory') return;
  const handle = await openPlace({ path: place, type: 'File' });
  try {
    const hash = createHash('sha256');
    for (let done = 0; done < member.size; ) {
      checkInterruption();
      const length = Math.min(65_536, member.size - done);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, done);
      if (bytesRead === 0) throw new Changed(place);
      const piece = buffer.subarray(0, bytesRead);
      hash.update(piece);
      done += bytesRead;
      yield piece;
    }
    const { bytesRead: more } = await handle.read(Buffer.alloc(1), 0, 1, member.size);
    if (more > 0 || hash.digest('hex') !== sha256) throw new Changed(place);
  } finally {
    await handle.close();
  }
}
