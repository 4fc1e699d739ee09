import type { Cluster } from '../cluster.ts';
import { type Database, withDatabase } from '../connection.ts';
import { REPLICATION_DATABASE, REPLICATION_SCHEMA } from './place.ts';

/** Drops what a server keeps of the log for another one: as a passive server nobody fetches that, and it would fill the disk. */
export async function dropOwnSlots(cluster: Cluster): Promise<void> {
  await withDatabase(
    cluster,
    (database) =>
      database.query(
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots
         where slot_type = 'physical' and not active and pg_is_in_recovery()`,
      ),
    REPLICATION_DATABASE,
  );
}

/**
 * Forgets the servers that others have taken the place of: a host that was lost and made anew is another server for PostgreSQL, and
 * what is kept of the log for the lost one would fill the disk. Those that follow now are left alone, and those of other programs.
 */
export async function forgetLost(database: Database, present: string[]): Promise<void> {
  await database.query(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots
     where slot_type = 'physical' and not active and slot_name ~ '^kt[0-9a-f]{16}$' and slot_name <> all ($1)`,
    [present],
  );
  await database.query(
    `delete from ${REPLICATION_SCHEMA}.node where id <> all ($1)
     and id not in (select slot_name from pg_replication_slots)`,
    [present],
  );
}
