import type { ListedSet } from '../backups/list.ts';
import { byteWords } from '../core/amounts.ts';
import { table } from './table.ts';

const DAY = 86_400;

/** A time span for people: its largest unit alone. */
function span(seconds: number): string {
  if (seconds < 0) return 'in the future';
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 2 * DAY ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / DAY)} days`;
}

const since = (time: string | null) => (time === null ? '-' : time.slice(0, 16).replace('T', ' '));

function readers({ encrypted, recipients }: ListedSet): string {
  if (!encrypted) return 'everybody (clear text)';
  return recipients?.map(({ fingerprint, userId }) => userId || fingerprint).join(', ') ?? '-';
}

/** Sets as a table; below it, why those are damaged that are. */
export function describeSets(sets: ListedSet[]): string {
  const head = ['set', 'age', 'size', 'state', 'verified', 'drilled', 'readable by'];
  const rows = sets.map((set) => [
    set.name,
    set.age === null ? '-' : span(set.age),
    byteWords(set.size),
    set.state,
    since(set.verifiedAt),
    since(set.drilledAt),
    readers(set),
  ]);
  const reasons = sets.flatMap(({ name, reason }) => (reason === null ? [] : [`${name}: ${reason}\n`]));
  return table(head, rows) + (reasons.length === 0 ? '' : `\n${reasons.join('')}`);
}

/** What somebody should know of a list of sets, beyond each of them; undefined when all is well. */
export function worryAbout(sets: ListedSet[]): string | undefined {
  const ages = sets.flatMap(({ state, age }) => (state === 'good' && age !== null && age >= 0 ? [age] : []));
  if (ages.length === 0)
    return sets.length === 0 ? undefined : 'no set here is known to be good; --check reads them';
  const youngest = Math.min(...ages);
  return youngest < DAY ? undefined : `the newest good set is ${span(youngest)} old`;
}
