import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';
import type { Database } from '../database/connection.ts';

/** How long the applying of what was received may stand still; milliseconds. */
const STANDSTILL = 20_000;
const POLL = 20;

const QUERY = `
  select coalesce(pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn(), true) as done,
    pg_last_wal_replay_lsn()::text as at, pg_is_wal_replay_paused() as paused,
    (pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn())::text as missing`;

interface Row {
  done: boolean;
  at: string | null;
  paused: boolean;
  missing: string | null;
}

/** Waits until a passive server has applied all that it has received. As long as it gets on, it may take its time. */
export async function untilReplayed(database: Database): Promise<void> {
  let [at, since]: [string | null | undefined, number] = [undefined, performance.now()];
  for (;;) {
    checkInterruption();
    const { rows } = await database.query<Row>(QUERY);
    const [row] = rows;
    if (row === undefined || row.done) return;
    if (row.at !== at) [at, since] = [row.at, performance.now()];
    if (row.paused || performance.now() - since > STANDSTILL) {
      const why = row.paused ? ': somebody has paused that' : '';
      throw failure(
        'state',
        `this server does not apply the ${row.missing} bytes that it has received last${why}`,
        'ktadmin db psql -- -d postgres -c "select pg_wal_replay_resume()"; then run the command again',
      );
    }
    await delay(POLL);
  }
}
