import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Account, findAccount, isRoot } from '../core/account.ts';
import { confdirFiles } from '../core/config.ts';
import {
  auditDirectory,
  type Configuration,
  parseConfiguration,
  parseConfigurationText,
} from '../core/configuration.ts';
import { lstatOrNothing, readSmallFile } from '../core/files.ts';
import { giveDirectory, giveTree } from '../core/give-tree.ts';
import { withLock } from '../core/lock.ts';
import { refuseOpenDirectory } from '../core/ownership.ts';
import { isCopied } from './copy.ts';
import { chooseAccount, type OwnerChoice } from './service-account.ts';

const MAXIMUM_SIZE = 1024 * 1024;

/** What a copied server needs that is not there yet, and whose it is now. */
interface TakenCopy {
  account: Account;
  /** Directories that a copy lacks, and that the account perhaps may not make. */
  directories: string[];
}

async function isFile(path: string): Promise<boolean> {
  return (await lstatOrNothing(path).catch(() => undefined))?.isFile() === true;
}

/**
 * The settings of a directory that was copied from another host and has never been a server of this one. Root looks at it before it is known whose it is, and follows no link in it.
 */
async function copiedSettings(confdir: string): Promise<Configuration | undefined> {
  const files = confdirFiles(confdir);
  if ((await lstatOrNothing(confdir).catch(() => undefined))?.isDirectory() !== true) return undefined;
  if (!(await isFile(files.configuration)) || !(await isFile(files.replication.certificate)))
    return undefined;
  const text = (await readSmallFile(files.configuration, MAXIMUM_SIZE)) ?? '';
  const found = parseConfiguration(files.configuration, parseConfigurationText(files.configuration, text));
  return (await isCopied(confdir, found)) ? found : undefined;
}

/** Whether nothing lies in a directory but what a service account's home has: a home like `/` or `/usr/sbin` is not given away. */
async function isHomeAlone(directory: string, confdir: string): Promise<boolean> {
  const expected = [basename(confdir), 'db', 'audit', 'lost+found'];
  const names = await readdir(directory);
  return names.every((name) => name.startsWith('.') || expected.includes(name));
}

/** Gives the account its home where root or copying made it, or a volume is mounted there: GnuPG wants to write to it. */
export async function giveHome(confdir: string, account: Account, copier = 0): Promise<void> {
  if (!isRoot()) return;
  const directory = dirname(confdir);
  const stats = await lstatOrNothing(directory);
  if (directory !== account.home || stats?.isDirectory() !== true) return;
  if (![0, copier].includes(stats.uid) || stats.uid === account.uid) return;
  if (await isHomeAlone(directory, confdir)) await giveDirectory(directory, account);
}

async function takeOver(confdir: string, choice: OwnerChoice): Promise<TakenCopy | undefined> {
  const copied = await copiedSettings(confdir);
  const stats = await lstatOrNothing(confdir);
  if (copied === undefined || stats === undefined) return undefined;
  refuseOpenDirectory(confdir, stats);
  const before = (await findAccount(stats.uid))?.name ?? `user id ${stats.uid}`;
  const account = await chooseAccount(choice);
  await giveHome(confdir, account, stats.uid);
  if (stats.uid !== account.uid || stats.gid !== account.gid) await giveTree(confdir, account);
  if (stats.uid !== account.uid) {
    choice.notice(`${confdir} belonged to ${before} on this host: given to ${account.name}`);
  }
  const { DATABASE_URLS, PG_ROOTDIR } = copied;
  const root = DATABASE_URLS === undefined ? [PG_ROOTDIR] : [];
  return { account, directories: [...root, auditDirectory(confdir, copied)] };
}

/**
 * Gives a server that root copied to this host to the service account, which is made where it is missing. A copy keeps the
 * number of its owner, and that number is another account's here, or nobody's: never does this program become that account.
 * Undefined for a server that is no copy, and for whoever is not root.
 */
export async function takeOverCopy(confdir: string, choice: OwnerChoice): Promise<TakenCopy | undefined> {
  if (!isRoot() || (await copiedSettings(confdir)) === undefined) return undefined;
  return await withLock(confdir, 'init', () => takeOver(confdir, choice));
}
