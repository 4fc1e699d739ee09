import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type FoundMember, readMember } from '../../archive/read.ts';
import { failure } from '../../core/errors.ts';
import { createExclusively, writeAll } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Owners } from './owners.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Gives owner and mode of the manifest to what was written; nothing that acts as another account (hazard TA-6). */
async function dress(file: FileHandle, member: FoundMember, { users, groups }: Owners): Promise<void> {
  const uid = users.get(member.owner);
  const gid = groups.get(member.group);
  if (uid === undefined || gid === undefined)
    throw failure('bug', `the owner of ${member.path} is not known`);
  await file.chown(uid, gid);
  await file.chmod(member.mode & 0o777);
  await file.utimes(member.modified, member.modified);
  await file.sync();
}

async function writeFile(
  archive: FileHandle,
  member: FoundMember,
  path: string,
  owners: Owners,
): Promise<void> {
  const file = await createExclusively(path);
  try {
    let position = 0;
    for await (const piece of readMember(archive, member)) position = await writeAll(file, piece, position);
    await dress(file, member, owners);
  } finally {
    await file.close();
  }
}

async function dressDirectory(path: string, member: FoundMember, owners: Owners): Promise<void> {
  const directory = await open(path, DIRECTORY);
  try {
    await dress(directory, member, owners);
  } finally {
    await directory.close();
  }
}

const byPath = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);

/**
 * Writes a directory of a set beside its place. The directory above may belong to somebody who is not to be trusted with
 * root's rights: so all is written through the open new directory, which nobody else can enter, and which is handed over
 * last.
 */
export async function stageDirectory(
  archive: FileHandle,
  members: Map<string, FoundMember>,
  staged: string,
  owners: Owners,
): Promise<void> {
  await mkdir(staged, { mode: 0o700 });
  const root = await open(staged, DIRECTORY);
  try {
    const { uid } = await root.stat();
    if (uid !== process.getuid?.()) throw failure('failed', `${staged} was exchanged by somebody else`);
    const at = (path: string) => join(`/proc/self/fd/${root.fd}`, path);
    const inside = [...members].filter(([path]) => path !== '').toSorted(byPath);
    for (const [path, member] of inside) {
      checkInterruption();
      if (member.type === 'Directory') await mkdir(at(path), { mode: 0o700 });
      else await writeFile(archive, member, at(path), owners);
    }
    for (const [path, member] of inside.toReversed())
      if (member.type === 'Directory') await dressDirectory(at(path), member, owners);
    const top = members.get('');
    if (top !== undefined) await dress(root, top, owners);
  } finally {
    await root.close();
  }
}
