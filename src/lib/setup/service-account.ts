import { type Account, currentAccount, findAccount, isRoot } from '../core/account.ts';
import { DEFAULT_ACCOUNT } from '../core/config.ts';
import { failure } from '../core/errors.ts';
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

/** The account for a server that has none on this host yet: oneself, or, for root, the named one or `keytrustee`, made where it is missing. */
export async function chooseAccount({ name, fallback, sudoLine, notice }: OwnerChoice): Promise<Account> {
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
