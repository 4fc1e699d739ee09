import { failure } from '../core/errors.ts';
import type { Database } from '../database/connection.ts';

/** Two servers whose clocks differ by less get on; milliseconds. */
const FAR = 5000;

const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

/** Asks a server by how much its clock is ahead of this program's; milliseconds, to half of what the question takes. */
export async function askClock(database: Pick<Database, 'query'>): Promise<number> {
  const sent = Date.now();
  const { rows } = await database.query<{ now: Date }>('select clock_timestamp() as now');
  const [row] = rows;
  if (row === undefined) throw failure('bug', 'the database gave no row');
  return row.now.getTime() - (sent + Date.now()) / 2;
}

function words(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 2 * MINUTE) return `${seconds} s`;
  if (seconds < 2 * HOUR) return `${Math.round(seconds / MINUTE)} min`;
  return seconds < 2 * DAY ? `${Math.round(seconds / HOUR)} h` : `${Math.round(seconds / DAY)} days`;
}

/** By how much one clock is ahead of, or behind, another, in words; undefined where they agree. Both as `askClock` has them. */
export function clockDifference(one: number, other: number): string | undefined {
  const ahead = one - other;
  if (Math.abs(ahead) < FAR) return undefined;
  return `${words(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'}`;
}
