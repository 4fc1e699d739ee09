import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { failure } from './errors.ts';
import { reached } from './steps.ts';

const SAFE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Sockets that the server and GnuPG's daemons leave in a configuration directory. A copy of one leads to nobody. */
const LEFT_OVER = /^S\.(?:keytrusteed|gpg-agent(?:\.\w+)?|keyboxd|scdaemon|dirmngr)$/;

/** A directory that is held open, and its name for messages: whoever renames it meanwhile changes nothing. */
interface Held {
  handle: FileHandle;
  path: string;
}

type Visit = (handle: FileHandle) => Promise<void>;

function refuseKind(path: string, stats: Stats): void {
  const hint = 'look what it is, and take it out of the directory';
  if (stats.isSymbolicLink()) throw failure('conflict', `${path} is a symbolic link`, hint);
  if (!stats.isFile() && !stats.isDirectory())
    throw failure('conflict', `${path} is neither a file nor a directory`, hint);
  // A second name could be one of a file elsewhere.
  if (stats.isFile() && stats.nlink > 1) throw failure('conflict', `${path} has a second name`, hint);
}

async function visitEntry(held: Held, name: string, visit: Visit): Promise<void> {
  const place = join(`/proc/self/fd/${held.handle.fd}`, name);
  const path = join(held.path, name);
  const seen = await lstat(place);
  if (seen.isSocket() && LEFT_OVER.test(name)) return;
  refuseKind(path, seen);
  const handle = await open(place, SAFE);
  try {
    const stats = await handle.stat();
    refuseKind(path, stats);
    await visit(handle);
    if (stats.isDirectory()) await visitInside({ handle, path }, visit);
  } finally {
    await handle.close();
  }
}

async function visitInside(held: Held, visit: Visit): Promise<void> {
  const names = await readdir(`/proc/self/fd/${held.handle.fd}`);
  for (const name of names.toSorted()) await visitEntry(held, name, visit);
}

async function removeLeftOvers({ handle }: Held): Promise<void> {
  const top = `/proc/self/fd/${handle.fd}`;
  for (const name of (await readdir(top)).filter((each) => LEFT_OVER.test(each)))
    if ((await lstat(join(top, name))).isSocket()) await unlink(join(top, name));
}

/**
 * Gives a directory and all that is in it to an account. Whoever owns it now is not trusted with root's rights: everything is
 * reached through open directories, no link is followed, and what is neither file nor directory is refused before anything
 * is changed. The directory itself is root's meanwhile and changes hands last: its owner tells whether all is done.
 */
export async function giveTree(path: string, { uid, gid }: Account): Promise<void> {
  const handle = await open(path, SAFE | constants.O_DIRECTORY);
  try {
    const top = { handle, path };
    await visitInside(top, async () => undefined);
    await handle.chmod(0o700);
    await handle.chown(0, 0);
    await removeLeftOvers(top);
    await visitInside(top, async (each) => {
      await each.chown(uid, gid);
      reached('give-tree');
    });
    await handle.chown(uid, gid);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives one directory to an account alone, and not what is in it. */
export async function giveDirectory(path: string, { uid, gid }: Account): Promise<void> {
  const handle = await open(path, SAFE | constants.O_DIRECTORY);
  try {
    await handle.chmod(0o700);
    await handle.chown(uid, gid);
  } finally {
    await handle.close();
  }
}
