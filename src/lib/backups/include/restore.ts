import { dirname, join } from 'node:path';
import { failure } from '../../core/errors.ts';
import { exists, lstatOrNothing, syncDirectory } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import { withLock } from '../../core/lock.ts';
import type { Reporter } from '../../core/reporter.ts';
import { reached } from '../../core/steps.ts';
import { stampTime } from '../../core/time.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import { exchangeAll, finishExchange } from '../restore/exchange-all.ts';
import { type Journal, readJournal } from '../restore/journal.ts';
import { removeUnfinished } from '../restore/names.ts';
import type { ClientContents } from './contents.ts';
import { findOwners, type Owners } from './owners.ts';
import { stageDirectory } from './stage.ts';

/** What a restore of directories will replace. */
export interface ClientPlan {
  created: string;
  host: string;
  fingerprint: string;
  directories: { path: string; members: number; replaces: boolean }[];
  owners: Owners;
}

/** What is in place now, and where the former directories are kept. */
export interface ClientResult {
  fingerprint: string;
  directories: { path: string; kept: string | undefined }[];
}

const journalIn = (signingHome: string) => join(signingHome, 'exchange.json');

/** The directory must have a place to lie in, which is not ours to make, and nothing else may lie there. */
async function planDirectory(path: string, members: number) {
  const parent = dirname(path);
  const above = await lstatOrNothing(parent);
  if (above?.isDirectory() !== true)
    throw failure(
      'notFound',
      `${parent} is no directory`,
      'install the program whose files they are, or make it',
    );
  const stats = await lstatOrNothing(path);
  if (stats !== undefined && !stats.isDirectory())
    throw failure('conflict', `${path} is there and not a directory`, `move it away, and run it again`);
  return { path, members, replaces: stats !== undefined };
}

/**
 * Finds out what a restore would replace; changes nothing. `pin` is the fingerprint that must have signed the set, where
 * one is known from elsewhere (hazard GP-8).
 */
export async function planClientRestore(
  { manifest, directories }: ClientContents,
  pin: string | undefined,
  force: boolean,
): Promise<ClientPlan> {
  const { created, host, fingerprint } = manifest;
  if (pin !== undefined && bareFingerprint(fingerprint) !== bareFingerprint(pin) && !force) {
    throw failure(
      'untrusted',
      `the set was signed by another host's key: ${fingerprint}, and not by ${bareFingerprint(pin)}`,
      'if that is right, give its fingerprint: --fingerprint FP',
    );
  }
  if (pin === undefined && !force) {
    throw failure(
      'untrusted',
      `whose set it is cannot be known here, where no signing key is; it says ${fingerprint}`,
      'give the fingerprint that you wrote down: --fingerprint FP',
    );
  }
  const owners = await findOwners(manifest);
  const places: ClientPlan['directories'] = [];
  for (const [path, members] of directories) places.push(await planDirectory(path, members.size));
  return { created, host, fingerprint, directories: places, owners };
}

function resultOf({ directories, expected }: Journal): ClientResult {
  return {
    fingerprint: expected?.fingerprint ?? '',
    directories: directories.map(({ place, kept, former }) => ({
      path: place,
      kept: former ? kept : undefined,
    })),
  };
}

const setOf = ({ fingerprint, sequence, created }: ClientContents['manifest']) => ({
  fingerprint,
  sequence,
  created,
});

/**
 * Finishes a restore of directories that was cut off while old and new were exchanged. Returns what it was, and whether it
 * was of this set; undefined where none was open.
 */
export async function finishClientRestore(
  { manifest }: ClientContents,
  signingHome: string,
): Promise<{ result: ClientResult; isSame: boolean } | undefined> {
  if ((await readJournal(journalIn(signingHome))) === undefined) return undefined;
  const journal = await finishExchange(journalIn(signingHome), async () => undefined);
  if (journal === undefined) return undefined;
  const isSame = JSON.stringify(journal.set) === JSON.stringify(setOf(manifest));
  return { result: resultOf(journal), isSame };
}

async function stageAll(contents: ClientContents, plan: ClientPlan, stamp: string) {
  const parts = [];
  for (const [path, members] of contents.directories) {
    const part = { staged: `${path}.restoring-${stamp}`, place: path, kept: `${path}.before-${stamp}` };
    await stageDirectory(contents.handle, members, part.staged, plan.owners);
    await syncDirectory(dirname(path));
    parts.push(part);
  }
  return parts;
}

/**
 * Puts the directories of a verified set in their places, all or nothing: each is written beside its place, then all are
 * exchanged, with a journal in the signing home. The former ones are kept.
 */
export async function restoreDirectories(
  contents: ClientContents,
  plan: ClientPlan,
  signingHome: string,
  reporter: Reporter,
): Promise<ClientResult> {
  return withLock(signingHome, 'restore', async () => {
    const sweep = async () => {
      for (const path of contents.directories.keys()) await removeUnfinished(path);
    };
    await sweep();
    const now = new Date();
    const stamp = `${stampTime(now)}-${String(now.getMilliseconds()).padStart(3, '0')}`;
    try {
      const directories = await reporter.step('writing the directories', () =>
        stageAll(contents, plan, stamp),
      );
      reached('restore-staged');
      checkInterruption();
      const set = setOf(contents.manifest);
      const about = { purpose: 'restore', expected: { fingerprint: plan.fingerprint }, set };
      return resultOf(
        await exchangeAll(journalIn(signingHome), { directories }, async () => undefined, about),
      );
    } catch (error) {
      // An exchange that is still open needs what was staged.
      if (!(await exists(journalIn(signingHome)))) await sweep();
      throw error;
    }
  });
}
