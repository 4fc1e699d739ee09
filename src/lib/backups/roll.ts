import { rm, unlink } from 'node:fs/promises';
import { lstatOrNothing } from '../core/files.ts';
import type { Reporter } from '../core/reporter.ts';
import { reached } from '../core/steps.ts';
import { checkSet } from './check-set.ts';
import { LOGGER } from './logger.ts';
import { receiptPath } from './receipt.ts';
import { identityOf, isSameFile } from './records.ts';
import { newestFirst, type SetPlace, type SurveyedSet, surveySets } from './survey.ts';

/** For so long a set counts as verified while nothing has touched its file; then it is read again. Milliseconds. */
const FRESH = 24 * 3_600_000;

/** What retention works with. */
export interface Retention {
  place: SetPlace;
  /** How many good sets are kept. */
  keep: number;
  /** The set that was just made: never deleted, whatever the clock says. */
  made: string;
  now: Date;
}

const isGood = ({ state }: SurveyedSet) => state === 'good';

function isFresh({ state, record }: SurveyedSet, now: Date): boolean {
  const age = now.getTime() - Date.parse(record?.verifiedAt ?? '');
  return state === 'good' && age >= 0 && age < FRESH;
}

/** Newer by the server's number and by time: after a clock was wrong, or a server was restored, one alone says little. */
function isNewer(a: SurveyedSet, b: SurveyedSet): boolean {
  if (a.order === undefined || b.order === undefined) return false;
  return a.order.sequence > b.order.sequence && a.order.created >= b.order.created;
}

/** What a server is there for. */
const VALUED = ['deposit', 'client', 'organization'];

/**
 * Whether the newer sets hold so much less than a set that it may be the last one of a server that was lost, and made anew
 * and empty; says what they lack (hazard PG-20).
 */
function whatIsLost({ receipt }: SurveyedSet, newer: SurveyedSet[]): string | undefined {
  for (const table of VALUED) {
    const count = receipt?.rows[table] ?? 0;
    const most = Math.max(0, ...newer.map((set) => set.receipt?.rows[table] ?? count));
    if (2 * most < count) return `it holds ${count} ${table} rows, and no newer set more than ${most}`;
  }
  return undefined;
}

function tell(sets: SurveyedSet[], reporter: Reporter): void {
  for (const { path, state, reason } of sets) {
    if (state === 'damaged')
      reporter.log(LOGGER, 'WARNING', `${path} is damaged and is left as it is: ${reason}`);
  }
  const unknown = sets.filter(({ state }) => state === 'no receipt' || state === 'another server').length;
  if (unknown === 0) return;
  const what = `${unknown} older ${unknown === 1 ? 'set' : 'sets'} without a good receipt of this server`;
  reporter.log(LOGGER, 'WARNING', `Not counted and not deleted: ${what} (ktadmin backup list)`);
}

/**
 * The sets that go: those than which `keep` good ones are newer, all of them read within a day. Whatever was made when a
 * clock ran ahead is not counted and does not go; what is damaged or cannot be judged neither.
 */
async function chooseSurplus(
  { place, keep, made, now }: Retention,
  reporter: Reporter,
): Promise<SurveyedSet[]> {
  const { sets, fault } = await surveySets(place);
  if (fault !== undefined) reporter.log(LOGGER, 'WARNING', fault);
  const good: SurveyedSet[] = [];
  const surplus: SurveyedSet[] = [];
  const judged: SurveyedSet[] = [];
  for (const found of await withOrder(place, sets, reporter)) {
    if (found.uid !== process.getuid?.() || found.state === 'unfinished') continue;
    if (found.order !== undefined && Date.parse(found.order.created) > now.getTime()) continue;
    const isOld = good.filter((each) => isNewer(each, found)).length >= keep;
    const isSurplus = isOld && found.path !== made;
    const lost = isSurplus ? whatIsLost(found, good) : undefined;
    const goes = isSurplus && lost === undefined;
    // Only what goes anyway need not have been read of late.
    const set = (goes ? isGood(found) : isFresh(found, now)) ? found : await checkSet(place, found, reporter);
    judged.push(set);
    if (!isGood(set)) continue;
    if (lost !== undefined) reporter.log(LOGGER, 'WARNING', `${set.path} is not deleted: ${lost}`);
    // What is kept for what it holds counts, too: older ones that hold no more need not stay beside it.
    if (goes) surplus.unshift(set);
    else good.push(set);
  }
  tell(judged, reporter);
  return surplus;
}

/** Sets in clear that lost their receipts are read here: only their manifests say where in the order they stand. */
async function withOrder(place: SetPlace, sets: SurveyedSet[], reporter: Reporter): Promise<SurveyedSet[]> {
  const known: SurveyedSet[] = [];
  for (const set of sets) known.push(set.state === 'no receipt' ? await checkSet(place, set, reporter) : set);
  return known.toSorted(newestFirst);
}

/** Whether nothing has come into a set's place since it was looked at. */
async function isStill({ path, file }: SurveyedSet): Promise<boolean> {
  return (await lstatOrNothing(path)) !== undefined && isSameFile(await identityOf(path), file);
}

/**
 * Deletes older sets, the oldest first, so that at every moment `keep` good ones are there: those of this server and this
 * account under this host's exact name, in clear or encrypted, each with its receipt. Returns what was deleted.
 */
export async function rollSets(retention: Retention, reporter: Reporter): Promise<string[]> {
  const deleted: string[] = [];
  for (const set of await chooseSurplus(retention, reporter)) {
    if (!(await isStill(set))) continue;
    await unlink(set.path);
    reached('backup-rolled-set');
    await rm(receiptPath(set.path), { force: true });
    reporter.log(LOGGER, 'INFO', `Deleted ${set.path}`);
    deleted.push(set.path);
    reached('backup-rolled-one');
  }
  return deleted;
}
