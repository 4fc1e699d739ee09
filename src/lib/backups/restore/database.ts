import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { sweep } from '../../core/files.ts';
import { reached } from '../../core/steps.ts';
import type { Cluster } from '../../database/cluster.ts';
import { type Database, withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { createDatabase } from '../../database/migrations.ts';
import type { SetContents } from './contents.ts';
import { dropDatabase, MAINTENANCE } from './exchange.ts';
import { LOADING, loadDump } from './load.ts';

/** How a database is called while a set is loaded into it: nothing but an unfinished restore has this name. */
const LOADED = 'keytrustee_new_';

/** The name of a database for loading, from digits that no other run has. */
export const loadedName = (digits: string) => `${LOADED}${digits}`;

/** Compares a database with what the manifest says of it: every table, every count. */
async function checkRows(cluster: Cluster, name: string, contents: SetContents): Promise<void> {
  const expected = contents.manifest.database.rows;
  const found = await withDatabase(cluster, countRows, name);
  for (const table of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    if (expected[table] === found[table]) continue;
    throw failure(
      'failed',
      `table ${table} has ${found[table] ?? 'no'} rows after loading, and the set says ${expected[table] ?? 'none'}`,
    );
  }
}

/** Loads a set's dump into a new database and checks it; on any failure that database is gone again. */
export async function loadDatabase(
  cluster: Cluster,
  account: Account,
  name: string,
  contents: SetContents,
): Promise<void> {
  const create = (database: Database) => createDatabase(database, name);
  await withDatabase(cluster, create, MAINTENANCE, { isLocal: true });
  reached('restore-created');
  try {
    await loadDump(cluster, account, name, contents);
    await checkRows(cluster, name, contents);
  } catch (error) {
    await dropDatabase(cluster, name).catch(() => undefined);
    throw error;
  }
}

/** Drops what restores that were killed had loaded. Only while no other restore runs. */
export async function dropUnfinished(cluster: Cluster): Promise<void> {
  const names = await withDatabase(
    cluster,
    async (database) => {
      const { rows } = await database.query<{ datname: string }>(
        "select datname from pg_database where datname ~ '^keytrustee_new_[0-9]+$'",
      );
      return rows.map(({ datname }) => datname);
    },
    MAINTENANCE,
  );
  for (const name of names) await dropDatabase(cluster, name);
  await sweep(cluster.root, LOADING);
}
