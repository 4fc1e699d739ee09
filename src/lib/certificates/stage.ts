import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isFull } from '../core/errors.ts';
import { makePrivateDirectory, removeTree, sweep, syncDirectory } from '../core/files.ts';
import { randomSuffix } from '../core/random.ts';
import type { PairFiles } from '../tls/pair.ts';
import { findBefore } from './before.ts';
import { filesIn, freeStamp, isOwn, readContents, UNFINISHED, writeContents } from './generation.ts';
import type { Journal } from './journal.ts';
import { fingerprintOf, writeKept } from './kept.ts';
import { isSame, readPairSettings } from './settings.ts';
import type { Site, Wanted } from './site.ts';

/** A pair that is written, and does not lie in its place yet. */
interface Staged {
  journal: Journal;
  place(): Promise<void>;
  drop(): Promise<void>;
}

async function writeInto(directory: string, write: (directory: string) => Promise<void>): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  await write(directory);
}

/** Writes a copy of files that are used where they lie: others may overwrite them, and what came into use is not to be gone. */
async function writeCopy(settings: PairFiles, directory: string, confdir: string): Promise<PairFiles> {
  const contents = await readContents(settings);
  await writeInto(directory, (at) =>
    writeKept(at, { settings, contents, fingerprint: fingerprintOf(contents) }, confdir),
  );
  return filesIn(directory, contents, settings.SSL_PRIVATE_KEY_PASSWORD_SCRIPT);
}

/** Writes the new pair, or a copy of it, and looks at it as the server will. */
async function writeNew({ store, confdir }: Site, wanted: Wanted, staging: string, stamp: string) {
  const { pair, check } = wanted;
  if (pair.settings !== undefined) {
    await check(pair.settings);
    if (isOwn(store, pair.settings)) return { to: pair.settings, made: null };
    await check(await writeCopy(pair.settings, join(staging, stamp), confdir));
    return { to: pair.settings, made: stamp };
  }
  const { contents, script } = pair;
  await writeInto(join(staging, stamp), (at) => writeContents(at, contents));
  await check(filesIn(join(staging, stamp), contents, script));
  return { to: filesIn(join(store, stamp), contents, script), made: stamp };
}

/** Writes the new pair and a copy of the one in use into a directory, and looks at what was written. */
async function writeAll(site: Site, wanted: Wanted, staging: string): Promise<Journal> {
  const from = await readPairSettings(site.settings);
  // Files that were exchanged where they lie are the new ones by now.
  const isThere = wanted.pair.settings !== undefined && isSame(from, wanted.pair.settings);
  const { pair, back } = await findBefore(site, from, isThere);
  const stamp = await freeStamp(site.store);
  const kept = pair === undefined ? null : `kept-${stamp}`;
  if (pair !== undefined && kept !== null)
    await writeInto(join(staging, kept), (at) => writeKept(at, pair, site.confdir));
  const told = { ...wanted.told, before: pair?.fingerprint ?? null };
  const { event, consumed } = wanted;
  const made = await writeNew(site, wanted, staging, stamp);
  return { event, stamp, from, back, kept, consumed, told, ...made };
}

/** Writes everything beside what is in use, under a name that nothing looks for; where that fails, nothing of it is left. */
export async function stage(site: Site, wanted: Wanted): Promise<Staged> {
  const { store } = site;
  await makePrivateDirectory(store);
  await sweep(store, UNFINISHED);
  const staging = join(store, `${UNFINISHED}${randomSuffix()}`);
  const drop = () => removeTree(staging);
  try {
    await mkdir(staging, { mode: 0o700 });
    const journal = await writeAll(site, wanted, staging);
    const place = async () => {
      for (const name of [journal.kept, journal.made])
        if (name !== null) await rename(join(staging, name), join(store, name));
      await drop();
      await syncDirectory(store);
    };
    return { journal, place, drop };
  } catch (error) {
    await drop();
    // The system names no file where it writes, and one that nobody knows where it makes one.
    if (isFull(error)) Object.assign(error as Error, { path: store });
    throw error;
  }
}
