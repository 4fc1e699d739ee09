import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../core/errors.ts';
import { stampTime } from '../../core/time.ts';
import { exchangeJournal } from '../../core/unfinished.ts';
import { loadedName } from './database.ts';
import { removeUnfinishedJournal } from './journal.ts';

const STAGED = '.restoring-';
const KEPT = '.before-';
const KEPT_DATABASE = 'keytrustee_old_';

/** Where everything of one restore lies meanwhile, and where the former state is kept. All have the same digits. */
export interface Names {
  staged: string;
  loaded: string;
  keptConfdir: string;
  keptDatabase: string;
}

/** A former state that a restore or an undo kept, by the digits of its time: one half of it may be missing. */
export interface Former {
  digits: string;
  confdir: string | undefined;
  database: string | undefined;
}

const digitsOf = (name: string) => name.replace(/\D/g, '');

function timeOf(digits: string): number {
  const [, day = '', time = '', ms = ''] = /^(\d{8})(\d{6})(\d{3})$/.exec(digits) ?? [];
  const pairs = (text: string, separator: string) => text.match(/\d\d/g)?.join(separator) ?? '';
  return Date.parse(`${day.slice(0, 4)}-${pairs(day.slice(4), '-')}T${pairs(time, ':')}.${ms}Z`);
}

/** The former states, newest first: what lies beside the configuration directory, and the databases of these names. */
export async function formerStates(confdir: string, databases: string[]): Promise<Former[]> {
  const found = new Map<string, Former>();
  const at = (digits: string) => {
    const former = found.get(digits) ?? { digits, confdir: undefined, database: undefined };
    found.set(digits, former);
    return former;
  };
  const prefix = `${basename(confdir)}${KEPT}`;
  for (const name of await namesBeside(confdir)) {
    const stamp = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (/^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{3}$/.test(stamp))
      at(digitsOf(stamp)).confdir = join(dirname(confdir), name);
  }
  for (const name of databases) if (/^keytrustee_old_\d{17}$/.test(name)) at(digitsOf(name)).database = name;
  return [...found.values()].toSorted((a, b) => (a.digits < b.digits ? 1 : -1));
}

async function namesBeside(confdir: string): Promise<string[]> {
  return readdir(dirname(confdir)).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  });
}

/** Names that sort behind those of every former state, also where the clock was set back since. */
export async function chooseNames(confdir: string, databases: string[]): Promise<Names> {
  const [newest] = await formerStates(confdir, databases);
  const last = newest === undefined ? Number.NaN : timeOf(newest.digits);
  const now = new Date(last >= Date.now() ? last + 1 : Date.now());
  const stamp = `${stampTime(now)}-${String(now.getMilliseconds()).padStart(3, '0')}`;
  const digits = digitsOf(stamp);
  return {
    staged: `${confdir}${STAGED}${stamp}`,
    loaded: loadedName(digits),
    keptConfdir: `${confdir}${KEPT}${stamp}`,
    keptDatabase: `${KEPT_DATABASE}${digits}`,
  };
}

/** Removes what restores that were killed had written beside a configuration directory: there are keys in it. */
export async function removeUnfinished(confdir: string): Promise<void> {
  const parent = dirname(confdir);
  for (const name of await namesBeside(confdir)) {
    if (name.startsWith(`${basename(confdir)}${STAGED}`)) await rm(join(parent, name), { recursive: true });
  }
  await removeUnfinishedJournal(exchangeJournal(confdir));
}
