import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Cluster } from '../cluster.ts';
import { type Database, withDatabase } from '../connection.ts';
import { REPLICATION_DATABASE } from './place.ts';

const POLL = 50;

/** Makes a slot, where it is not there, that keeps of the log what a server still needs. On the active server. */
export async function ensureSlot(database: Database, slot: string): Promise<void> {
  await database.query(
    `select pg_create_physical_replication_slot($1, true)
     where not exists (select from pg_replication_slots where slot_name = $1)`,
    [slot],
  );
}

/** Whether this server receives the log of another one and has applied all that it has received. */
export async function isFollowing(cluster: Cluster): Promise<boolean> {
  try {
    return await withDatabase(
      cluster,
      async (database) => {
        const { rows } = await database.query<{ follows: boolean }>(
          `select pg_is_in_recovery() and exists (
             select from pg_stat_wal_receiver where status = 'streaming'
           ) and pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() as follows`,
        );
        return rows[0]?.follows === true;
      },
      REPLICATION_DATABASE,
    );
  } catch {
    // It is still starting.
    return false;
  }
}

/** Waits until this server follows the other one. `limit` in milliseconds. */
export async function waitUntilFollowing(cluster: Cluster, limit: number): Promise<void> {
  const end = performance.now() + limit;
  while (!(await isFollowing(cluster))) {
    checkInterruption();
    if (performance.now() > end) {
      throw failure(
        'unreachable',
        `this server does not follow the active one after ${limit / 1000} s`,
        `ktadmin ha status; PostgreSQL's log is in ${cluster.logDirectory}`,
      );
    }
    await delay(POLL);
  }
}
