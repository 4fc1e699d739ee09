import { type Account, currentAccount, findAccount, isRoot } from './account.ts';
import { errorCode, failure } from './errors.ts';
import { lstatOrNothing } from './files.ts';

/**
 * The account that owns a directory and that this process may act as: root may become anybody, everybody else only itself.
 * A directory that others can enter is refused.
 */
export async function ownerOf(directory: string, sudoLine: (account: string) => string): Promise<Account> {
  const stats = await lstatOrNothing(directory).catch((error: unknown) => {
    if (errorCode(error) === 'EACCES')
      throw failure(
        'permission',
        `${directory} cannot be reached by ${currentAccount().name}`,
        sudoLine('root'),
      );
    if (errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (stats === undefined)
    throw failure('state', `${directory} does not exist`, `ktadmin init --confdir ${directory}`);
  if (!stats.isDirectory()) throw failure('conflict', `${directory} is not a directory`);
  const owner = await findAccount(stats.uid);
  const name = owner?.name ?? `#${stats.uid}`;
  if (!isRoot() && stats.uid !== process.getuid?.()) {
    throw failure(
      'permission',
      `${directory} belongs to ${name}, not to ${currentAccount().name}`,
      sudoLine(name),
    );
  }
  if (isRoot() && stats.uid === 0) {
    throw failure(
      'permission',
      `${directory} belongs to root, and PostgreSQL refuses to run as root`,
      `chown -R keytrustee:keytrustee ${directory}`,
    );
  }
  if ((stats.mode & 0o077) !== 0) {
    throw failure(
      'permission',
      `${directory} is open to other accounts (mode ${(stats.mode & 0o7777).toString(8).padStart(4, '0')})`,
      `chmod 700 ${directory}`,
    );
  }
  return owner ?? currentAccount();
}
