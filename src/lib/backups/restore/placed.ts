import { failure } from '../../core/errors.ts';
import { clusterAt } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { checkServerKey } from './confdir.ts';
import type { Journal } from './journal.ts';

/** Checks what an exchange has put in place against its own journal: the server's key opens, and every row is there. */
export async function checkPlaced({ directories, database, expected }: Journal): Promise<void> {
  const [directory] = directories;
  if (expected?.fingerprint !== undefined && directory !== undefined)
    await checkServerKey(directory.place, expected.fingerprint);
  if (expected?.rows === undefined || database === undefined) return;
  const found = await withDatabase(clusterAt(database.root, database.port), countRows);
  for (const table of new Set([...Object.keys(expected.rows), ...Object.keys(found)])) {
    if (expected.rows[table] === found[table]) continue;
    throw failure(
      'failed',
      `table ${table} has ${found[table] ?? 'no'} rows in its place, and had ${expected.rows[table] ?? 'none'} before`,
    );
  }
}
