import { type ChangedFile, changeSettings } from '../core/configuration-change.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { type Journal, writeJournal } from './journal.ts';
import { putBack, record, recordFailure, tidy } from './outcome.ts';
import { refused } from './refused.ts';
import { findServer, takeOver } from './running.ts';
import { changesFor } from './settings.ts';
import type { Outcome, Site, Wanted } from './site.ts';
import { stage } from './stage.ts';

async function stageRecorded(site: Site, wanted: Wanted): ReturnType<typeof stage> {
  try {
    // One that could not be told is refused before anything is written.
    await site.reporter.step('asking the server', () => findServer(site.confdir));
    return await site.reporter.step('writing it beside what is in use', () => stage(site, wanted));
  } catch (error) {
    const full = await refused(site, wanted.pair.settings ?? {}, error);
    await recordFailure(site, wanted.event, { ...wanted.told, before: null }, full);
    throw full;
  }
}

/**
 * Puts a pair to use: everything is written beside what is in use, then the settings name it by one rename, then the server
 * takes it over and is looked at as clients see it. Whatever fails on the way puts all of it back.
 */
export async function exchange(site: Site, wanted: Wanted): Promise<Outcome> {
  const { journal, place, drop } = await stageRecorded(site, wanted);
  reached('cert-staged');
  let changed: ChangedFile | undefined;
  try {
    checkInterruption();
    await writeJournal(site.store, journal);
    reached('cert-journaled');
    await place();
    reached('cert-placed');
    checkInterruption();
    changed = await changeSettings(site.settings, changesFor(journal.to));
    reached('cert-switched');
    const probed = await activate(site, journal);
    await record(site, journal, probed);
    return await tidy(site, journal, probed);
  } catch (error) {
    await drop();
    throw await putBack(site, journal, error, changed);
  }
}

/** Has the server take over what the settings name already. */
async function activate(site: Site, { told }: Journal): Promise<number> {
  checkInterruption();
  const expected = { host: site.host, fingerprint: told.fingerprint };
  const probed = await site.reporter.step('the server takes it over, and is connected to', () =>
    takeOver(site.confdir, expected, () => reached('cert-reloaded')),
  );
  checkInterruption();
  reached('cert-probed');
  return probed;
}

/** Goes on with an exchange that was cut off after the settings had been changed. */
export async function resume(site: Site, journal: Journal): Promise<Outcome> {
  try {
    const probed = await activate(site, journal);
    if (!(await site.isRecorded(journal.event, journal.stamp))) await record(site, journal, probed);
    return await tidy(site, journal, probed);
  } catch (error) {
    throw await putBack(site, journal, error);
  }
}
