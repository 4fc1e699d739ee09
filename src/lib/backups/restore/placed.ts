import { failure } from '../../core/errors.ts';
import { clusterAt, DATABASE } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { checkServerKey } from './confdir.ts';
import { databaseOid } from './exchange.ts';
import type { Journal } from './journal.ts';

/** The database in place is the one that was loaded, whose rows were counted then. Clients may have changed it since. */
async function checkDatabase({ root, port, oid }: NonNullable<Journal['database']>): Promise<void> {
  if ((await databaseOid(clusterAt(root, port), DATABASE)) === oid) return;
  throw failure('failed', 'the database in its place is not the one that was loaded');
}

/** Checks what an exchange has put in place against its own journal: the server's key opens, and the database is the one. */
export async function checkPlaced({ directories, database, expected }: Journal): Promise<void> {
  const [directory] = directories;
  if (expected?.fingerprint !== undefined && directory !== undefined)
    await checkServerKey(directory.place, expected.fingerprint);
  if (database?.oid !== undefined) await checkDatabase(database);
  if (expected?.rows === undefined || database === undefined || database.oid !== undefined) return;
  const found = await withDatabase(clusterAt(database.root, database.port), countRows);
  for (const table of new Set([...Object.keys(expected.rows), ...Object.keys(found)])) {
    if (expected.rows[table] === found[table]) continue;
    throw failure(
      'failed',
      `table ${table} has ${found[table] ?? 'no'} rows in its place, and had ${expected.rows[table] ?? 'none'} before`,
    );
  }
}
