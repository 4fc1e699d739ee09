import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../core/errors.ts';
import { writeAtomically } from '../core/files.ts';

const path = (confdir: string) => join(confdir, 'backup.sequence');

/** The number of the next set of this server: clocks jump, this number does not. */
export async function nextSequence(confdir: string): Promise<number> {
  try {
    const last = Number.parseInt(await readFile(path(confdir), 'utf8'), 10);
    return last >= 1 ? last + 1 : 1;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 1;
    throw error;
  }
}

/** Remembers that a set of this number was published. */
export async function recordSequence(confdir: string, sequence: number): Promise<void> {
  await writeAtomically(path(confdir), `${sequence}\n`);
}
