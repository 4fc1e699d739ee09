import type { Settings } from '../core/configuration.ts';
import { clusterAt } from '../database/cluster.ts';
import { type Database, withDatabase } from '../database/connection.ts';

/** Lends a connection to the database that the settings name. */
export async function withServerDatabase<T>(
  settings: Settings,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const { PG_ROOTDIR, DB_PORT } = settings.configuration;
  return withDatabase(clusterAt(PG_ROOTDIR, DB_PORT), work);
}
