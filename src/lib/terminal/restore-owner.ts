import { dirname } from 'node:path';
import type { Account } from '../core/account.ts';
import { environment } from '../core/config.ts';
import { makePrivateDirectory } from '../core/files.ts';
import { chooseOwner } from '../setup/owner.ts';
import { sudoLine } from './sudo.ts';
import type { Terminal } from './terminal.ts';

/** The account that a restored server will belong to; makes the directory above the configuration where it is missing. */
export async function prepareRestoreOwner(
  confdir: string,
  user: string | undefined,
  terminal: Terminal,
): Promise<Account> {
  const notice = (text: string) => terminal.notice(text);
  const account = await chooseOwner(confdir, {
    name: user,
    fallback: environment.account,
    sudoLine,
    notice,
  });
  await makePrivateDirectory(dirname(confdir), account);
  return account;
}
