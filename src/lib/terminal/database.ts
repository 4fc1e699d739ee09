import type { Settings } from '../core/configuration.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { readNode } from '../database/replication/node.ts';
import { isExternal, sourceOf } from '../database/source.ts';
import type { Terminal } from './terminal.ts';

/** Lends a connection to the database that the settings name. */
export async function withServerDatabase<T>(
  settings: Settings,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  return withDatabase(sourceOf(settings), work);
}

/** Warns where the pair of this server went on without it: what is shown is what was here then. */
export async function warnIfFenced(settings: Settings, terminal: Terminal): Promise<void> {
  const source = sourceOf(settings);
  if (isExternal(source) || (await readNode(source))?.role !== 'fenced') return;
  terminal.warn('the pair went on without this server: what it has is old');
}
