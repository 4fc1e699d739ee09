import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Account, findAccount, isRoot } from '../core/account.ts';
import { DEFAULT_ACCOUNT, environment } from '../core/config.ts';
import { exists, makePrivateDirectory } from '../core/files.ts';
import { exchangeJournal } from '../core/unfinished.ts';
import { chooseOwner } from '../setup/owner.ts';
import { sudoLine } from './sudo.ts';
import type { Terminal } from './terminal.ts';

/** Whose server it was, where the configuration directory is missing and something of an earlier restore lies beside it. */
async function formerOwner(confdir: string): Promise<string | undefined> {
  if (!isRoot()) return undefined;
  const beside = await readdir(dirname(confdir)).catch(() => []);
  const kept = beside.filter((name) => name.startsWith(`${basename(confdir)}.before-`)).toSorted();
  for (const path of [
    exchangeJournal(confdir),
    ...kept.reverse().map((name) => join(dirname(confdir), name)),
  ]) {
    const stats: Stats | undefined = await lstat(path).catch(() => undefined);
    const account = stats === undefined || stats.uid === 0 ? undefined : await findAccount(stats.uid);
    if (account !== undefined) return account.name;
  }
  return undefined;
}

/** The account that a restored server will belong to. */
export async function chooseRestoreOwner(
  confdir: string,
  user: string | undefined,
  terminal: Terminal,
): Promise<Account> {
  return chooseOwner(confdir, {
    name: user,
    fallback: (await formerOwner(confdir)) ?? environment.account,
    sudoLine,
    notice: (text) => terminal.notice(text),
  });
}

/** The same; makes the directory above the configuration where it is missing. */
export async function prepareRestoreOwner(
  confdir: string,
  user: string | undefined,
  terminal: Terminal,
): Promise<Account> {
  const account = await chooseRestoreOwner(confdir, user, terminal);
  await makePrivateDirectory(dirname(confdir), account);
  return account;
}

/** The account that would be chosen, where nothing may be made; undefined where it does not exist yet. */
export async function findRestoreOwner(
  confdir: string,
  user: string | undefined,
  terminal: Terminal,
): Promise<Account | undefined> {
  if (isRoot() && !(await exists(confdir))) {
    const name = user ?? (await formerOwner(confdir)) ?? environment.account ?? DEFAULT_ACCOUNT;
    if ((await findAccount(name)) === undefined) return undefined;
  }
  return chooseRestoreOwner(confdir, user, terminal);
}
