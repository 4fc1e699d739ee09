import type { Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { type Account, currentAccount, findAccount, isRoot } from './account.ts';
import { errorCode, failure } from './errors.ts';
import { lstatOrNothing } from './files.ts';

type SudoLine = (account: string) => string;

async function look(directory: string, sudoLine: SudoLine): Promise<Stats | undefined> {
  try {
    return await lstatOrNothing(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR')
      throw failure('conflict', `${directory} cannot exist: a file is in the way`);
    if (errorCode(error) !== 'EACCES') throw error;
    const message = `${directory} cannot be reached by ${currentAccount().name}`;
    throw failure('permission', message, sudoLine('root'), error);
  }
}

const SERVER_FILES = ['keytrustee.conf', 'pubring.kbx', 'data'];

/** What to do about a directory that no server can use. Only an empty one, or a server's, is to be given away whole. */
async function giveAway(directory: string): Promise<string> {
  const names = await readdir(directory);
  return names.length === 0 || names.some((name) => SERVER_FILES.includes(name))
    ? `give it to the service account: chown -R keytrustee: ${directory}`
    : 'name a directory that only the server uses';
}

async function refuseOthers(
  directory: string,
  stats: Stats,
  owner: Account | undefined,
  sudoLine: SudoLine,
): Promise<void> {
  const name = owner?.name ?? `#${stats.uid}`;
  if (!isRoot() && stats.uid !== process.getuid?.()) {
    const message = `${directory} belongs to ${name}, not to ${currentAccount().name}`;
    throw failure('permission', message, sudoLine(name));
  }
  if (!isRoot()) return;
  if (stats.uid === 0) {
    throw failure(
      'permission',
      `${directory} belongs to root, and PostgreSQL refuses to run as root`,
      await giveAway(directory),
    );
  }
  if (owner === undefined) {
    throw failure(
      'permission',
      `${directory} belongs to user id ${stats.uid}, and there is no such account`,
      await giveAway(directory),
    );
  }
}

/** Refuses a directory that other accounts can enter. */
export function refuseOpenDirectory(directory: string, stats: Stats): void {
  if ((stats.mode & 0o077) === 0) return;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  throw failure(
    'permission',
    `${directory} is open to other accounts (mode ${mode})`,
    `chmod 700 ${directory}`,
  );
}

/**
 * The account that owns a directory and that this process may act as: root may become anybody, everybody else only itself.
 * A directory that others can enter is refused. `makeIt` is the command that makes a missing one.
 */
export async function ownerOf(
  directory: string,
  sudoLine: SudoLine,
  makeIt = `ktadmin init --confdir ${directory}, or ktadmin restore FILE where a server was lost`,
): Promise<Account> {
  const stats = await look(directory, sudoLine);
  if (stats === undefined) throw failure('state', `${directory} does not exist`, makeIt);
  if (stats.isSymbolicLink())
    throw failure('conflict', `${directory} is a symbolic link`, 'name the directory that it points to');
  if (!stats.isDirectory()) throw failure('conflict', `${directory} is not a directory`);
  const owner = await findAccount(stats.uid);
  await refuseOthers(directory, stats, owner, sudoLine);
  refuseOpenDirectory(directory, stats);
  return owner ?? currentAccount();
}

/** The account for which root gives up its rights where that serves safety alone: the owner of a server, where there is one. */
export async function lesserAccount(directory: string): Promise<Account | undefined> {
  const stats = await lstatOrNothing(directory).catch(() => undefined);
  if (!isRoot() || stats?.isDirectory() !== true || stats.uid === 0) return undefined;
  return findAccount(stats.uid);
}
