import { failure } from '../core/errors.ts';
import { lstatOrNothing } from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import type { Reporter } from '../core/reporter.ts';
import { checkSet } from './check-set.ts';
import { LOGGER } from './logger.ts';
import { type SetPlace, type SetState, type SurveyedSet, surveySets } from './survey.ts';

/** A set as it is listed. `age` in seconds, `size` in bytes, times in UTC; null is what nobody knows. */
export interface ListedSet {
  name: string;
  path: string;
  sequence: number | null;
  created: string | null;
  age: number | null;
  size: number;
  encrypted: boolean;
  recipients: { fingerprint: string; userId: string }[] | null;
  state: SetState;
  reason: string | null;
  verifiedAt: string | null;
  drilledAt: string | null;
}

function describe(set: SurveyedSet, now: Date): ListedSet {
  const { name, path, size, encrypted, state, order, receipt, record } = set;
  return {
    ...{ name, path },
    sequence: order?.sequence ?? null,
    created: order?.created ?? null,
    age: order === undefined ? null : Math.floor((now.getTime() - Date.parse(order.created)) / 1000),
    ...{ size, encrypted },
    recipients: receipt?.recipients ?? null,
    state,
    reason: set.reason ?? null,
    verifiedAt: record?.verifiedAt ?? null,
    drilledAt: record?.drilledAt ?? null,
  };
}

/** Lists a server's sets in a directory, the newest first. `check` reads each of them whole; otherwise none is read. */
export async function listSets(place: SetPlace, check: boolean, reporter: Reporter): Promise<ListedSet[]> {
  if ((await lstatOrNothing(place.directory)) === undefined)
    throw failure('notFound', `${place.directory} does not exist`);
  const { sets, fault } = await surveySets(place);
  if (fault !== undefined) reporter.log(LOGGER, 'WARNING', fault);
  const now = new Date();
  const listed: ListedSet[] = [];
  for (const set of sets) {
    checkInterruption();
    const found = check
      ? await reporter.step(`reading ${set.name}`, () => checkSet(place, set, reporter))
      : set;
    listed.push(describe(found, now));
  }
  return listed;
}
