import { explain, failure } from '../core/errors.ts';
import type { Reporter } from '../core/reporter.ts';
import { LOGGER } from './logger.ts';
import { identityOf, recordVerified } from './records.ts';
import { rollSets } from './roll.ts';
import type { SetPlace } from './survey.ts';

/** Remembers that the set was read back, so that retention need not read it again today. */
async function remember(path: string, reporter: Reporter): Promise<void> {
  try {
    await recordVerified(path, { file: await identityOf(path), outcome: 'good' });
  } catch (error) {
    const why = explain(error).message;
    reporter.log(LOGGER, 'WARNING', `That ${path} was verified cannot be remembered: ${why}`);
  }
}

/**
 * What follows when a set was made: it is remembered as verified, and older ones are deleted where that was asked for. The
 * set is good whatever comes of it.
 */
export async function afterwards(
  { roll: keep }: { roll: number | undefined },
  place: SetPlace,
  made: string,
  reporter: Reporter,
): Promise<string[]> {
  await remember(made, reporter);
  if (keep === undefined) return [];
  try {
    return await rollSets({ place, keep, made, now: new Date() }, reporter);
  } catch (error) {
    const why = explain(error).message;
    const message = `the backup ${made} was made, but older sets could not be deleted: ${why}`;
    throw failure('failed', message, undefined, error);
  }
}
