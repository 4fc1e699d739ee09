import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateDirectory, removeTree, sweep, syncDirectory } from '../core/files.ts';
import { randomSuffix } from '../core/random.ts';
import { filesIn, freeStamp, UNFINISHED, writeContents } from './generation.ts';
import type { Journal } from './journal.ts';
import { readInUse, writeKept } from './kept.ts';
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

/** Writes the new pair and a copy of the one in use into a directory, and looks at what was written. */
async function writeAll({ store, settings }: Site, wanted: Wanted, staging: string): Promise<Journal> {
  const { pair, event, consumed } = wanted;
  const from = await readPairSettings(settings);
  // Files that were exchanged where they lie are the new ones by now.
  const isThere = wanted.pair.settings !== undefined && isSame(from, wanted.pair.settings);
  const inUse = isThere ? undefined : await readInUse(from);
  const stamp = await freeStamp(store);
  const kept = inUse === undefined ? null : `kept-${stamp}`;
  if (inUse !== undefined && kept !== null)
    await writeInto(join(staging, kept), (at) => writeKept(at, inUse));
  const told = { ...wanted.told, before: inUse?.fingerprint ?? null };
  const journal = { event, stamp, from, kept, consumed, told };
  if (pair.settings !== undefined) {
    await wanted.check(pair.settings);
    return { ...journal, to: pair.settings, made: null };
  }
  const { contents, script } = pair;
  await writeInto(join(staging, stamp), (at) => writeContents(at, contents));
  await wanted.check(filesIn(join(staging, stamp), contents, script));
  return { ...journal, to: filesIn(join(store, stamp), contents, script), made: stamp };
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
    throw error;
  }
}
