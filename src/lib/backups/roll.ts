import { lstat, readdir, rm, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { reached } from '../core/steps.ts';
import { compareSetNames, parseSetName, type SetHost } from './name.ts';
import { RECEIPT_ENDING, receiptPath } from './receipt.ts';

/**
 * Removes what a killed run left of a host's sets: unfinished ones, which alone have this ending, and receipts whose set
 * did not get its name, or was deleted.
 */
export async function sweepUnfinished(directory: string, host: SetHost): Promise<void> {
  const names = new Set(await readdir(directory));
  for (const name of names) {
    const ending = ['.part', RECEIPT_ENDING].find((each) => name.endsWith(each)) ?? '';
    const set = name.slice(0, name.length - ending.length);
    if (ending === '' || parseSetName(host, set) === undefined) continue;
    if (ending === RECEIPT_ENDING && names.has(set)) continue;
    const path = join(directory, name);
    if ((await lstat(path)).isFile()) await unlink(path);
  }
}

/**
 * Deletes all but the newest `keep` of a host's sets in a directory, the one just made always among those that stay.
 * Only regular files of this account under this host's exact name count (hazard RT-3), and only those that are older: a
 * set from the future, made when a clock was wrong, pushes nobody out and is not deleted (RT-4). Returns what was deleted.
 */
export async function rollSets(
  directory: string,
  host: SetHost,
  keep: number,
  made: string,
): Promise<string[]> {
  const newest = parseSetName(host, basename(made));
  const others = [];
  for (const name of await readdir(directory)) {
    const set = parseSetName(host, name);
    if (set === undefined || newest === undefined || compareSetNames(set, newest) >= 0) continue;
    const stats = await lstat(join(directory, name));
    if (stats.isFile() && stats.uid === process.getuid?.()) others.push(set);
  }
  const surplus = others.toSorted(compareSetNames).slice(0, Math.max(0, others.length - (keep - 1)));
  for (const { name } of surplus) {
    await unlink(join(directory, name));
    reached('backup-rolled-set');
    await rm(receiptPath(join(directory, name)), { force: true });
    reached('backup-rolled-one');
  }
  return surplus.map(({ name }) => join(directory, name));
}
