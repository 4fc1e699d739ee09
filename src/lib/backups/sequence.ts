import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../core/errors.ts';
import { writeAtomically } from '../core/files.ts';

const path = (confdir: string) => join(confdir, 'backup.sequence');

/** The number of the last set of this server that was begun; 0 before the first one. */
async function lastSequence(confdir: string): Promise<number> {
  try {
    const last = Number.parseInt(await readFile(path(confdir), 'utf8'), 10);
    return last >= 1 ? last : 0;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/**
 * Takes the next number for a set: clocks jump, this number does not. It is taken before the set is made: a number that
 * nobody uses is no harm, a second set of one number would be.
 */
export async function takeSequence(confdir: string): Promise<number> {
  const sequence = (await lastSequence(confdir)) + 1;
  await writeAtomically(path(confdir), `${sequence}\n`);
  return sequence;
}

/**
 * Lets a configuration that is put back go on counting where the present one is, or the set that it comes from: the past
 * must not give its numbers a second time.
 */
export async function carrySequence(staged: string, present: string, ofSet = 0): Promise<void> {
  const numbers = [ofSet, await lastSequence(present), await lastSequence(staged)];
  await writeAtomically(path(staged), `${Math.max(...numbers)}\n`);
}
