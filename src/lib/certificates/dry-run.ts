import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists, requireSpace } from '../core/files.ts';
import { withLock } from '../core/lock.ts';
import type { Protocol } from '../tls/context.ts';
import { findBefore } from './before.ts';
import { isOwn } from './generation.ts';
import type { Told } from './journal.ts';
import { wouldRefuse } from './refused.ts';
import { rollbackWanted } from './rollback.ts';
import { isDone } from './rotate.ts';
import { findServer } from './running.ts';
import { isSame, readPairSettings } from './settings.ts';
import { findCut } from './settle.ts';
import type { Site, Wanted } from './site.ts';
import { toldOf } from './told.ts';
import { examine, isInUse, namedInPlace, type Wish, wantedOf } from './wish.ts';

/** What would be done. */
export interface DryRun {
  steps: string[];
  /** False where it is in use already, and nothing is to be done for it. */
  isNeeded: boolean;
  warnings: string[];
}

/** A pair and its copy are smaller; bytes. */
const SPACE = 256 * 1024;

async function requireWritable({ store, settings }: Site): Promise<void> {
  const place = (await exists(store)) ? store : dirname(store);
  for (const directory of [place, dirname(settings)]) {
    await access(directory, constants.W_OK | constants.X_OK);
    await requireSpace(directory, SPACE, 'free some space and run the command again');
  }
}

/** What became of a run that was cut off, as far as this one would have to do with it. */
async function describeCut(site: Site): Promise<string[]> {
  const cut = await findCut(site);
  if (cut === undefined) return [];
  const { subject } = cut.journal.told;
  return cut.how === 'finish'
    ? [`finish what was cut off: ${subject} is configured already`]
    : [`remove what a run that was cut off has written for ${subject}`];
}

const checkedLine = ({ subject, validTo }: Pick<Told, 'subject' | 'validTo'>) =>
  `checked: ${subject}, until ${validTo.slice(0, 10)}`;

async function describe(site: Site, wanted: Wanted): Promise<string[]> {
  const { store, settings } = site;
  await requireWritable(site);
  const server = await findServer(site.confdir);
  const { pair, told } = wanted;
  if (pair.settings !== undefined) await wanted.check(pair.settings);
  const current = await readPairSettings(settings);
  const isThere = pair.settings !== undefined && isSame(pair.settings, current);
  const before = await findBefore(site, current, isThere);
  const isCopied = pair.settings !== undefined && !isOwn(store, pair.settings);
  return [
    checkedLine(told),
    ...(before.pair === undefined ? [] : [`copy what is in use to ${join(store, 'kept-TIME')}`]),
    ...(pair.settings === undefined ? [`write it to ${join(store, 'TIME')}`] : []),
    ...(isCopied ? [`keep a copy of it in ${join(store, 'TIME')}`] : []),
    ...(isThere ? [] : [`have ${settings} name ${pair.settings?.SSL_CERTIFICATE ?? join(store, 'TIME')}`]),
    server === undefined
      ? 'no server runs: nothing is probed'
      : `have the server take it over (process ${server.pid}), and connect to ${server.addresses.join(', ')}`,
    `record ${wanted.event}`,
    ...(wanted.consumed === null ? [] : [`remove ${join(store, wanted.consumed)}`]),
  ];
}

/** Does everything of a rotation but writing. */
export async function rehearseRotation(site: Site, makeWish: () => Promise<Wish>): Promise<DryRun> {
  return withLock(site.confdir, 'certificate command', async () => {
    const wish = await makeWish();
    const examined = await examine(site, wish).catch(async (error: unknown) => {
      throw await wouldRefuse(site, namedInPlace(wish), error);
    });
    const { warnings } = examined;
    const current = await readPairSettings(site.settings);
    const isThere = await isInUse(site, current, examined, wish);
    const cut = await describeCut(site);
    if (isThere && (await isDone(site, current, examined, wish)))
      return { steps: [...cut, checkedLine(toldOf(examined.own))], isNeeded: false, warnings };
    const wanted = await wantedOf(wish, examined, current);
    const steps = await describe(site, isThere ? { ...wanted, pair: { settings: current } } : wanted);
    return { steps: [...cut, ...steps], isNeeded: true, warnings };
  });
}

/** Does everything of a rollback but writing. */
export async function rehearseRollback(site: Site, protocol: Protocol): Promise<DryRun> {
  return withLock(site.confdir, 'certificate command', async () => {
    const cut = await describeCut(site);
    const { wanted, warnings } = await rollbackWanted(site, protocol);
    return { steps: [...cut, ...(await describe(site, wanted))], isNeeded: true, warnings };
  });
}
