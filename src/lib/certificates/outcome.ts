import { join } from 'node:path';
import { type ChangedFile, changeSettings, restoreSettings } from '../core/configuration-change.ts';
import { askServer } from '../core/control.ts';
import { explain, failure } from '../core/errors.ts';
import { removeTree } from '../core/files.ts';
import { Interrupted } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { type AuditEvent, recordChange } from '../core/trail.ts';
import { type Journal, removeJournal, type Told } from './journal.ts';
import { prune } from './kept.ts';
import { discardPending } from './pending.ts';
import { takeOver } from './running.ts';
import { changesFor, isSame, liesIn, readPairSettings } from './settings.ts';
import type { Outcome, Site } from './site.ts';

const DAY = 86_400_000;

/** Whole days until a time; negative when it has passed. */
function daysUntil(time: string, now = Date.now()): number {
  return Math.floor((Date.parse(time) - now) / DAY);
}

function whatOf({ subject, fingerprint, before, validTo, place, origin }: Told): AuditEvent['what'] {
  return { subject, fingerprint, before, days: daysUntil(validTo), place, origin };
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
  const reason = error instanceof Interrupted ? error.message : explain(error).message;
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
    await prune(site.store, to);
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

/** Has the server go back to what was in use; returns what is to be said where it does not. */
async function tellServer({ confdir, host }: Site, { told: { before } }: Journal): Promise<string> {
  try {
    if (before === null) await askServer(confdir, 'reload');
    else await takeOver(confdir, { host, fingerprint: before });
    return '';
  } catch (error) {
    return `; the server could not be told of that (${explain(error).message}): restart it`;
  }
}

/** Puts the settings back, and the server; returns what is to be said of it. */
async function goBack(site: Site, journal: Journal, changed: ChangedFile | undefined): Promise<string> {
  const { from, to } = journal;
  const isSwitched = !isSame(from, to) && isSame(await readPairSettings(site.settings), to);
  if (isSwitched && changed !== undefined) await restoreSettings(site.settings, changed, changesFor(from));
  else if (isSwitched) await changeSettings(site.settings, changesFor(from));
  reached('cert-returned');
  const unsaid = isSwitched ? await tellServer(site, journal) : '';
  await discard(site, journal);
  return `the certificate that was in use stays in use${unsaid}`;
}

/** Puts everything back after a failure, records that, and returns the error that says why and how things are now. */
export async function putBack(
  site: Site,
  journal: Journal,
  error: unknown,
  changed?: ChangedFile,
): Promise<Error> {
  const after = await goBack(site, journal, changed).catch(
    (trouble: unknown) => `going back failed, too (${explain(trouble).message}): run the command again`,
  );
  await recordFailure(site, journal.event, journal.told, error);
  if (error instanceof Interrupted) return error;
  const { code, message, hint } = explain(error);
  return failure(code, `${message}; ${after}`, hint, error);
}
