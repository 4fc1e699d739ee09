import { join } from 'node:path';
import { type Account, currentAccount, findAccount, isRoot } from '../core/account.ts';
import { DEFAULT_ACCOUNT } from '../core/config.ts';
import { auditDirectory } from '../core/configuration.ts';
import { errorCode, failure } from '../core/errors.ts';
import { exists, lstatOrNothing, makePrivateDirectory } from '../core/files.ts';
import { ownerOf, refuseOpenDirectory } from '../core/ownership.ts';
import { runChecked } from '../core/process.ts';
import { checkSocketPath, clusterAt } from '../database/cluster.ts';
import type { InitializeRequest } from './request.ts';

/** Home of the service account, as the original product has it. */
const HOME = '/var/lib/keytrustee';

async function createAccount(notice: (text: string) => void): Promise<Account> {
  const comment = 'Account used to manage keytrustee';
  const args = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    HOME,
    '--shell',
    '/bin/bash',
    '--comment',
    comment,
  ];
  await runChecked('useradd', [...args, DEFAULT_ACCOUNT]);
  notice(`Created the system account ${DEFAULT_ACCOUNT}`);
  const account = await findAccount(DEFAULT_ACCOUNT);
  if (account === undefined) throw failure('failed', `the account ${DEFAULT_ACCOUNT} could not be created`);
  return account;
}

async function chooseAccount({ name, fallback, sudoLine, notice }: OwnerChoice): Promise<Account> {
  if (!isRoot()) {
    const self = currentAccount();
    if (name === undefined || name === self.name) return self;
    throw failure('permission', `only root can make a server for ${name}`, sudoLine('root'));
  }
  const wanted = name ?? fallback;
  const found = await findAccount(wanted ?? DEFAULT_ACCOUNT);
  if (found?.uid === 0) throw failure('usage', 'the service account must not be root', 'give another --user');
  if (found !== undefined) return found;
  if (wanted === undefined || wanted === DEFAULT_ACCOUNT) return createAccount(notice);
  throw failure(
    'notFound',
    `there is no account ${wanted}`,
    `useradd --system --user-group --home-dir ${HOME} --shell /bin/bash ${wanted}`,
  );
}

/** How the owner of a new server is chosen. */
export interface OwnerChoice {
  /** As typed: must be the owner. */
  name: string | undefined;
  /** From the environment: counts for a new server that root makes. */
  fallback?: string | undefined;
  sudoLine: (account: string) => string;
  notice: (text: string) => void;
}

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
 * configuration's affair where there is one already. What cannot work is refused before anything is made.
 */
export async function prepareServer(
  { confdir, newServer }: InitializeRequest,
  isNew: boolean,
  choice: OwnerChoice,
): Promise<Account> {
  if (isNew) checkSocketPath(clusterAt(newServer.PG_ROOTDIR, newServer.DB_PORT));
  const account = await chooseOwner(confdir, choice);
  await refuseOldKeys(confdir);
  await prepareDirectory(confdir, account);
  if (!isNew) return account;
  await prepareDirectory(newServer.PG_ROOTDIR, account);
  await prepareDirectory(auditDirectory(confdir, {}), account);
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
