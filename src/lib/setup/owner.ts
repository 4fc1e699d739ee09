import { type Account, currentAccount, findAccount, isRoot } from '../core/account.ts';
import { DEFAULT_ACCOUNT } from '../core/config.ts';
import { errorCode, failure } from '../core/errors.ts';
import { exists, lstatOrNothing, makePrivateDirectory } from '../core/files.ts';
import { ownerOf } from '../core/ownership.ts';
import { runChecked } from '../core/process.ts';

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

async function chooseAccount(name: string | undefined, notice: (text: string) => void): Promise<Account> {
  if (!isRoot()) return currentAccount();
  const found = await findAccount(name ?? DEFAULT_ACCOUNT);
  if (found?.uid === 0) throw failure('usage', 'the service account must not be root', 'give another --user');
  if (found !== undefined) return found;
  if (name === undefined) return createAccount(notice);
  throw failure(
    'notFound',
    `there is no account ${name}`,
    `useradd --system --user-group --home-dir ${HOME} --shell /bin/bash ${name}`,
  );
}

/** How the owner of a new server is chosen: by a name, where one is given. */
export interface OwnerChoice {
  name: string | undefined;
  sudoLine: (account: string) => string;
  notice: (text: string) => void;
}

/**
 * Finds the account that a server belongs to, or will: whoever owns an existing configuration directory; else oneself;
 * else, for root, the named account or `keytrustee`, which is created where it is missing, as the original product's
 * package does.
 */
export async function chooseOwner(
  confdir: string,
  { name, sudoLine, notice }: OwnerChoice,
): Promise<Account> {
  const present = await exists(confdir).catch(() => true);
  const account = present ? await ownerOf(confdir, sudoLine) : await chooseAccount(name, notice);
  if (name !== undefined && isRoot() && account.name !== name) {
    throw failure(
      'conflict',
      `${confdir} belongs to ${account.name}, not to ${name}`,
      `leave out --user, or chown -R ${name}: ${confdir}`,
    );
  }
  return account;
}

/** Makes a directory for the account where it is missing; one that is another's is refused. */
export async function prepareDirectory(directory: string, account: Account): Promise<void> {
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
}
