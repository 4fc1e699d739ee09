import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { digestOf } from '../core/digest.ts';
import { explain, failure, KeyTrusteeError } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';
import type { Reporter } from '../core/reporter.ts';
import { readClientContents } from './include/contents.ts';
import { LOGGER } from './logger.ts';
import { hostName } from './name.ts';
import { identityOf, isSameFile, recordVerified } from './records.ts';
import { readContents } from './restore/contents.ts';
import type { SetPlace, SurveyedSet } from './survey.ts';

/** What reading a set whole has changed in what is known of it. */
type Found = Partial<Pick<SurveyedSet, 'state' | 'reason' | 'order' | 'record'>>;

async function compareWithReceipt(handle: FileHandle, { receipt }: SurveyedSet): Promise<Found> {
  const { size, sha256 } = await digestOf(handle);
  if (size === receipt?.size && sha256 === receipt.sha256) return { state: 'good' };
  return { state: 'damaged', reason: 'its bytes are not those that its receipt is of' };
}

/** A set in clear holds its manifest, which says the same as a receipt. */
async function compareWithManifest(handle: FileHandle, place: SetPlace): Promise<Found> {
  try {
    const isClient = typeof place.host !== 'string';
    const { manifest } = await (isClient ? readClientContents(handle) : readContents(handle));
    const { host, fingerprint, sequence, created } = manifest;
    if (host !== hostName(place.host) || fingerprint !== place.fingerprint)
      return { state: 'another server' };
    return { state: 'good', order: { sequence, created } };
  } catch (error) {
    if (error instanceof KeyTrusteeError && error.code === 'untrusted') return { reason: error.message };
    throw error;
  }
}

async function readWhole(place: SetPlace, set: SurveyedSet, reporter: Reporter): Promise<Found> {
  const handle = await open(set.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const before = await identityOf(handle);
    const found =
      set.receipt === undefined
        ? await compareWithManifest(handle, place)
        : await compareWithReceipt(handle, set);
    const file = await identityOf(handle);
    if (!isSameFile(before, file)) throw failure('failed', 'it was changed while it was read');
    if (found.state !== 'good' && found.state !== 'damaged') return found;
    const record = await recordVerified(set.path, { file, outcome: found.state }).catch((error: unknown) => {
      const why = `That ${set.name} was verified cannot be remembered: ${explain(error).message}`;
      reporter.log(LOGGER, 'WARNING', why);
      return undefined;
    });
    return { ...found, record };
  } finally {
    await handle.close();
  }
}

/**
 * Reads a set whole and says what it is worth: by its receipt; without one, where it is in clear, by its manifest. What
 * neither of them can tell of stays as it was, and what was found damaged is not read again.
 */
export async function checkSet(place: SetPlace, set: SurveyedSet, reporter: Reporter): Promise<SurveyedSet> {
  const byItself = set.state === 'no receipt' && !set.encrypted;
  if (set.state === 'damaged' || (set.receipt === undefined && !byItself)) return set;
  try {
    return { ...set, ...(await readWhole(place, set, reporter)) };
  } catch (error) {
    checkInterruption();
    return { ...set, state: 'damaged', reason: `it cannot be read: ${explain(error).message}` };
  }
}
