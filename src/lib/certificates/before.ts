import { type PairFiles, readPair, requireMatch } from '../tls/pair.ts';
import { isOwn } from './generation.ts';
import { copyOf, holdsSame, type InUse, type Kept, readInUse } from './kept.ts';
import { isPresented } from './running.ts';
import type { Site } from './site.ts';

/** What is in use, whatever lies at its paths by now. */
export interface Before {
  /** What is to be kept of it; undefined where it cannot be had, or goes on being used. */
  pair: InUse | undefined;
  /** By which settings a server has it again; null where it is gone. */
  back: PairFiles | null;
}

async function canServe(files: PairFiles): Promise<boolean> {
  return readPair(files)
    .then((pair) => {
      requireMatch(pair);
      return true;
    })
    .catch(() => false);
}

/** Whether a server that runs presents it, or, where none runs, could. */
async function isServed(
  site: Pick<Site, 'confdir' | 'host'>,
  files: PairFiles,
  pair: InUse | undefined,
): Promise<boolean> {
  const fingerprint = pair?.fingerprint;
  return fingerprint !== undefined && (await canServe(files)) && isPresented(site, fingerprint);
}

/** The copy of what the settings name where it lies, where other files lie there by now. */
async function copyBeside(
  store: string,
  from: PairFiles,
  disk: InUse | undefined,
): Promise<Kept | undefined> {
  const copy = await copyOf(store, from);
  return copy === undefined || holdsSame(copy, disk) ? undefined : copy;
}

/** Whether nobody but this program can overwrite what the settings name without a copy being there. */
export async function isSafe(store: string, files: PairFiles): Promise<boolean> {
  if (isOwn(store, files)) return true;
  const copy = await copyOf(store, files);
  return copy !== undefined && holdsSame(copy, await readInUse(files));
}

/**
 * Finds out what is in use. Files that are used where they lie may have been overwritten: the copy that was made of them is it
 * then, unless a server that runs presents something else. With `isThere` these files are what is to come into use.
 */
export async function findBefore(
  site: Pick<Site, 'store' | 'confdir' | 'host'>,
  from: PairFiles,
  isThere: boolean,
): Promise<Before> {
  const disk = await readInUse(from);
  const copy = await copyBeside(site.store, from, disk);
  if (copy !== undefined && (await isServed(site, copy.copies, copy)))
    return { pair: copy, back: copy.copies };
  if (!isThere) return { pair: disk, back: from };
  return { pair: copy, back: (await isServed(site, from, disk)) ? from : null };
}
