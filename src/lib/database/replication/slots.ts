import type { Cluster } from '../cluster.ts';
import { withDatabase } from '../connection.ts';
import { REPLICATION_DATABASE } from './place.ts';

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
