import { X509Certificate } from 'node:crypto';
import { changeSettings } from '../core/configuration-change.ts';
import { Interrupted } from '../core/interrupt.ts';
import type { PairFiles } from '../tls/pair.ts';
import { type Before, findBefore } from './before.ts';
import { isOwn } from './generation.ts';
import { goingBackFailed, lost, namesCopy, returnTo, withAfter } from './going-back.ts';
import type { InUse } from './kept.ts';
import { recordFailure } from './outcome.ts';
import { changesFor, isSame, overlap, readPairSettings } from './settings.ts';
import type { Site } from './site.ts';
import { toldOf } from './told.ts';

/** What is in use, where the settings name the files that were refused and these are others by now; else undefined. */
async function findOverwritten(
  site: Site,
  named: Partial<PairFiles>,
): Promise<(Before & { from: PairFiles }) | undefined> {
  const from = await readPairSettings(site.settings);
  if (!overlap(named, from) || isOwn(site.store, from)) return undefined;
  const before = await findBefore(site, from, true);
  return before.back !== null && isSame(before.back, from) ? undefined : { ...before, from };
}

/** Records that the settings name a copy now, although what was wanted was not even begun. */
async function recordReturn(site: Site, { contents, fingerprint }: InUse, error: unknown): Promise<void> {
  const own = toldOf(new X509Certificate(contents.SSL_CERTIFICATE ?? ''));
  const told = { ...own, before: fingerprint ?? null, place: 'copied', origin: 'kept' } as const;
  await recordFailure(site, 'certificate.rotate', told, error);
}

/**
 * Files were refused before anything was changed. Where they took the place of those in use, a server that starts again would
 * read them: the settings name the copy of what is in use then. Returns the error, with what became of it.
 */
export async function refused(site: Site, named: Partial<PairFiles>, error: unknown): Promise<unknown> {
  if (error instanceof Interrupted) return error;
  try {
    const found = await findOverwritten(site, named);
    if (found === undefined) return error;
    const before = found.pair?.fingerprint ?? null;
    const change = (settings: PairFiles) => changeSettings(site.settings, changesFor(settings));
    const full = withAfter(error, await returnTo(site, { ...found, before }, change));
    if (found.back !== null && found.pair !== undefined) await recordReturn(site, found.pair, full);
    return full;
  } catch (trouble) {
    return withAfter(error, goingBackFailed(trouble));
  }
}

/** The same for a dry run: what it would say of that. */
export async function wouldRefuse(site: Site, named: Partial<PairFiles>, error: unknown): Promise<unknown> {
  const found = await findOverwritten(site, named);
  if (found === undefined) return error;
  const { back, from } = found;
  return withAfter(error, back === null ? lost(from) : `without --dry-run, ${namesCopy(site, from, back)}`);
}
