import type { Settings } from '../core/configuration.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { sourceOf } from '../database/source.ts';

/** Lends a connection to the database that the settings name. */
export async function withServerDatabase<T>(
  settings: Settings,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  return withDatabase(sourceOf(settings), work);
}
