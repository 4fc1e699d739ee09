import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { type Account, currentAccount } from '../core/account.ts';
import { errorCode, failure } from '../core/errors.ts';
import { lstatOrNothing, makePrivateDirectory } from '../core/files.ts';

/** Where a path leads, its last parts perhaps still to be made. */
async function realPlace(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    const real = await realpath(place).catch(() => undefined);
    if (real !== undefined || place === '/') return join(real ?? '/', path.slice(place.length));
  }
}

/** Refuses a directory that lies in the one that is backed up (hazard FI-8); it need not exist yet. */
async function checkOutputPlace(directory: string, confdir: string): Promise<void> {
  const real = await realPlace(directory);
  const inside = await realPlace(confdir);
  if (real === inside || real.startsWith(inside + sep)) {
    throw failure('usage', `${directory} lies in ${confdir}, which is what is backed up`);
  }
}

/** Refuses a directory that lies in that of the database: whoever removes the one would remove the sets too. */
export async function checkApart(directory: string, pgRootdir: string): Promise<void> {
  const real = await realPlace(directory);
  const inside = await realPlace(pgRootdir);
  if (real === inside || real.startsWith(inside + sep))
    throw failure('usage', `${directory} lies in the directory of the database, which a set must outlive`);
}

/**
 * Makes the directory where sets are put, when it is missing. To be called by whoever started the program: root makes it
 * for the service account.
 */
export async function prepareOutput(directory: string, confdir: string, account: Account): Promise<void> {
  await checkOutputPlace(directory, confdir);
  try {
    await makePrivateDirectory(directory, account);
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR')
      throw failure('conflict', `${directory} cannot be made: a file is in the way`);
    if (errorCode(error) !== 'EACCES') throw error;
    const hint = `as root: install -d -m 700 -o ${account.name} ${directory}`;
    throw failure('permission', `${directory} cannot be reached by ${currentAccount().name}`, hint, error);
  }
}

/** Refuses a directory that this account cannot write to, or that others could write to (hazard FI-9). */
export async function checkOutputDirectory(directory: string, confdir: string): Promise<void> {
  await checkOutputPlace(directory, confdir);
  const { name } = currentAccount();
  const stats = await lstatOrNothing(directory);
  if (stats === undefined)
    throw failure('notFound', `${directory} does not exist`, `mkdir -m 700 ${directory}`);
  if (stats.isSymbolicLink())
    throw failure('conflict', `${directory} is a link`, `--output ${await realPlace(directory)}`);
  if (!stats.isDirectory()) throw failure('conflict', `${directory} is not a directory`);
  if ((stats.mode & 0o022) !== 0) {
    throw failure(
      'permission',
      `${directory} can be written by other accounts`,
      `give a directory of its own: install -d -m 700 -o ${name} ${directory}/keytrustee`,
    );
  }
  await access(directory, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw failure(
      'permission',
      `${directory} cannot be written by ${name}`,
      `give a directory of its own; as root: install -d -m 700 -o ${name} ${directory}/keytrustee`,
      error,
    );
  });
}
