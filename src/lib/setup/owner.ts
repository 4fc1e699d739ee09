import { join } from 'node:path';
import type { Account } from '../core/account.ts';
import { auditDirectory } from '../core/configuration.ts';
import { errorCode, failure } from '../core/errors.ts';
import { exists, lstatOrNothing, makePrivateDirectory } from '../core/files.ts';
import { ownerOf, refuseOpenDirectory } from '../core/ownership.ts';
import { checkSocketPath, clusterAt } from '../database/cluster.ts';
import type { InitializeRequest } from './request.ts';
import { chooseAccount, type OwnerChoice } from './service-account.ts';
import { giveHome, takeOverCopy } from './take-over.ts';

/**
 * Finds the account that a server belongs to, or will: whoever owns an existing configuration directory; else oneself;
 * else, for root, the named account or `keytrustee`, which is created where it is missing, as the original product's
 * package does.
 */
export async function chooseOwner(confdir: string, choice: OwnerChoice): Promise<Account> {
  const { name, sudoLine } = choice;
  // What lies there, and whether it can be reached at all, is for ownerOf to judge.
  const isMissing = (await lstatOrNothing(confdir).catch(() => null)) === undefined;
  const account = isMissing ? await chooseAccount(choice) : await ownerOf(confdir, sudoLine);
  if (name !== undefined && account.name !== name) {
    throw failure(
      'conflict',
      `${confdir} belongs to ${account.name}, not to ${name}`,
      `leave out --user, or chown -R ${name}: ${confdir}`,
    );
  }
  return account;
}

/**
 * Makes the directories of a server for the account that it belongs to, or will. The place of the cluster is the
 * configuration's affair where there is one already. A copy of another host's server is given to the service account first.
 * What cannot work is refused before anything is made.
 */
export async function prepareServer(
  { confdir, newServer }: InitializeRequest,
  isNew: boolean,
  choice: OwnerChoice,
): Promise<Account> {
  if (isNew) checkSocketPath(clusterAt(newServer.PG_ROOTDIR, newServer.DB_PORT));
  const taken = await takeOverCopy(confdir, choice);
  const account = taken?.account ?? (await chooseOwner(confdir, choice));
  await refuseOldKeys(confdir);
  if (isNew) await giveHome(confdir, account);
  const ofNew = isNew ? [newServer.PG_ROOTDIR, auditDirectory(confdir, {})] : [];
  for (const directory of [confdir, ...(taken?.directories ?? ofNew)])
    await prepareDirectory(directory, account);
  return account;
}

/**
 * A directory that came from the original product has its keys where GnuPG before 2.1 kept them. This program would not see
 * them and make a second identity, which no client knows.
 */
async function refuseOldKeys(confdir: string): Promise<void> {
  if (await exists(join(confdir, 'pubring.kbx'))) return;
  for (const name of ['secring.gpg', 'pubring.gpg']) {
    if (!(await exists(join(confdir, name)))) continue;
    throw failure(
      'conflict',
      `${confdir} is the original product's: its keys are in ${name}, in the form of GnuPG 1.x`,
      'move it away, and give its backup to ktadmin restore --unsigned (see MIGRATION in ktadmin(8))',
    );
  }
}

/** Makes a directory for the account where it is missing; one that is another's, or open to others, is refused. */
async function prepareDirectory(directory: string, account: Account): Promise<void> {
  try {
    await makePrivateDirectory(directory, account);
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR')
      throw failure('conflict', `${directory} cannot be made: a file is in the way`);
    if (errorCode(error) !== 'EACCES') throw error;
    const hint = `as root: install -d -m 700 -o ${account.name} ${directory}`;
    throw failure('permission', `${directory} cannot be made by ${account.name}`, hint, error);
  }
  const stats = await lstatOrNothing(directory);
  if (stats?.isDirectory() !== true) throw failure('conflict', `${directory} is not a directory`);
  if (stats.uid !== account.uid) {
    throw failure(
      'permission',
      `${directory} does not belong to ${account.name}`,
      `chown ${account.name}: ${directory}`,
    );
  }
  refuseOpenDirectory(directory, stats);
}
