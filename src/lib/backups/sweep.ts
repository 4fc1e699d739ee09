import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isSetName, type SetHost } from './name.ts';
import { RECEIPT_ENDING } from './receipt.ts';

/**
 * Removes what a killed run left of a host's sets: unfinished ones, which alone have this ending, and receipts whose set
 * did not get its name, or was deleted.
 */
export async function sweepUnfinished(directory: string, host: SetHost): Promise<void> {
  const names = new Set(await readdir(directory));
  for (const name of names) {
    const ending = ['.part', RECEIPT_ENDING].find((each) => name.endsWith(each)) ?? '';
    const set = name.slice(0, name.length - ending.length);
    if (ending === '' || !isSetName(host, set)) continue;
    if (ending === RECEIPT_ENDING && names.has(set)) continue;
    const path = join(directory, name);
    if ((await lstat(path)).isFile()) await unlink(path);
  }
}
