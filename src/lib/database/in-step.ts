import { WriteRefusal } from '../core/refusal.ts';
import type { Database } from './connection.ts';
import { withWriting } from './gate.ts';

/** How far the passive server has applied the log, as it last said: at least every 10 s. Null where it is away. */
const APPLIED = `select max(replay_lsn)::text as applied from pg_stat_get_wal_senders()
  where state = 'streaming' and sync_state in ('sync', 'quorum')`;

async function applied(database: Database): Promise<string | null> {
  const { rows } = await database.query<{ applied: string | null }>(APPLIED);
  return rows[0]?.applied ?? null;
}

/**
 * Waits until the passive server has applied all that was committed here before, as long as it gets on with that; the log is
 * applied in its order, so one commit that waits tells. Fails as a write does: refused, where the passive server is away.
 * A server that waits for no other is in step at once.
 */
export async function untilInStep(database: Database): Promise<void> {
  for (let before = await applied(database); ; ) {
    try {
      return await withWriting(database, async () => undefined);
    } catch (error) {
      const now = await applied(database).catch(() => null);
      const getsOn = now !== null && now !== before;
      if (!getsOn || !(error instanceof WriteRefusal) || error.refusal !== 'unconfirmed') throw error;
      before = now;
    }
  }
}
