import { currentAccount } from '../core/account.ts';
import { errorCode, failure } from '../core/errors.ts';
import { lstatOrNothing, makePrivateDirectory } from '../core/files.ts';
import { refuseOpenDirectory } from '../core/ownership.ts';

/** What a person can do about a directory that this account cannot use. */
const giveIt = (directory: string) => `as root: install -d -m 700 -o ${currentAccount().name} ${directory}`;

async function make(directory: string): Promise<void> {
  try {
    await makePrivateDirectory(directory);
  } catch (error) {
    if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'ENOTDIR') throw error;
    const message = `the audit directory ${directory} cannot be made by ${currentAccount().name}`;
    throw failure('permission', message, giveIt(directory), error);
  }
}

async function look(directory: string) {
  try {
    return await lstatOrNothing(directory);
  } catch (error) {
    if (errorCode(error) !== 'EACCES') throw error;
    const message = `the audit directory ${directory} cannot be reached by ${currentAccount().name}`;
    throw failure('permission', message, giveIt(directory), error);
  }
}

/** Makes the directory of the trail where it is missing, and refuses one that is another's, or open to others. */
export async function prepareAuditDirectory(directory: string): Promise<void> {
  const found = await look(directory);
  if (found === undefined) return make(directory);
  if (!found.isDirectory()) throw failure('conflict', `the audit directory ${directory} is not a directory`);
  if (found.uid !== process.getuid?.()) {
    const message = `the audit directory ${directory} does not belong to ${currentAccount().name}`;
    throw failure('permission', message, `chown -R ${currentAccount().name}: ${directory}`);
  }
  refuseOpenDirectory(directory, found);
}
