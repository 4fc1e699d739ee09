import { join } from 'node:path';
import { type ChangedFile, changeSettings, restoreSettings } from '../core/configuration-change.ts';
import { explain } from '../core/errors.ts';
import { removeTree } from '../core/files.ts';
import { Interrupted } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { type AuditEvent, recordChange } from '../core/trail.ts';
import { daysLeft } from '../tls/dates.ts';
import { goingBackFailed, returnTo, withAfter } from './going-back.ts';
import { type Journal, removeJournal, type Told } from './journal.ts';
import { prune } from './kept.ts';
import { discardPending } from './pending.ts';
import { changesFor, isSame, liesIn, readPairSettings } from './settings.ts';
import type { Outcome, Site } from './site.ts';

function whatOf({ subject, fingerprint, before, validTo, place, origin }: Told): AuditEvent['what'] {
  return { subject, fingerprint, before, days: daysLeft({ validTo }), place, origin };
}

/** Records what was done, once. */
export async function record(site: Site, { event, told, stamp }: Journal, probed: number): Promise<void> {
  await recordChange(site.recorder, event, { ...whatOf(told), probed, stamp });
  reached('cert-recorded');
}

/** Records what failed, as far as that can be done: why it failed is told anyway. */
export async function recordFailure(
  { recorder: { trail, actor } }: Site,
  event: Journal['event'],
  told: Told,
  error: unknown,
): Promise<void> {
  const { message } = error instanceof Interrupted ? error : explain(error);
  const reason = message.replaceAll(/\s*\n\s*/g, ' ');
  await trail
    .change({ event, ...actor, what: whatOf(told), outcome: 'failed', reason })
    .catch(() => undefined);
}

/** Removes what nothing needs any more. It is done by now: what cannot be removed is a warning. */
export async function tidy(site: Site, journal: Journal, probed: number): Promise<Outcome> {
  const { event, told, to, kept, consumed } = journal;
  const warnings: string[] = [];
  try {
    if (consumed === 'pending') await discardPending(site.store);
    else if (consumed !== null) await removeTree(join(site.store, consumed));
    await prune(site.store, to, journal.made);
    reached('cert-tidied');
    await removeJournal(site.store);
  } catch (error) {
    warnings.push(`what is not needed any more could not be removed: ${explain(error).message}`);
  }
  return {
    ...{ event, ...told, files: to, isChanged: true, probed, warnings },
    kept: kept === null ? null : join(site.store, kept),
  };
}

/** Removes what was made for an exchange that does not come about; what the settings name stays. */
export async function discard({ store, settings }: Site, { made, kept }: Journal): Promise<void> {
  const inUse = await readPairSettings(settings);
  for (const name of [made, kept])
    if (name !== null && !liesIn(inUse, join(store, name))) await removeTree(join(store, name));
  await removeJournal(store);
}

/** Puts the settings back, and the server; returns what is to be said of it. */
async function goBack(site: Site, journal: Journal, changed: ChangedFile | undefined): Promise<string> {
  const { from, to, back, told } = journal;
  const now = await readPairSettings(site.settings);
  // Settings that somebody else has written meanwhile stay.
  const after =
    isSame(now, to) || isSame(now, from)
      ? await returnTo(site, { from, back, before: told.before }, (settings) =>
          changed !== undefined && isSame(settings, from)
            ? restoreSettings(site.settings, changed, changesFor(from))
            : changeSettings(site.settings, changesFor(settings)),
        )
      : 'the certificate that was in use stays in use';
  await discard(site, journal);
  return after;
}

/** Puts everything back after a failure, records that, and returns the error that says why and how things are now. */
export async function putBack(
  site: Site,
  journal: Journal,
  error: unknown,
  changed?: ChangedFile,
): Promise<Error> {
  const after = await goBack(site, journal, changed).catch(goingBackFailed);
  const full = withAfter(error, after);
  await recordFailure(site, journal.event, journal.told, full);
  return error instanceof Interrupted ? error : full;
}
