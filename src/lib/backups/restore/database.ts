import { pipeline } from 'node:stream/promises';
import { readMember } from '../../archive/read.ts';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { childFailure } from '../../core/process.ts';
import { reached } from '../../core/steps.ts';
import type { Cluster } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { countRows, loadIntoDatabase } from '../../database/dump.ts';
import { createDatabase } from '../../database/migrations.ts';
import type { SetContents } from './contents.ts';
import { dropDatabase, MAINTENANCE } from './exchange.ts';

/** How a database is called while a set is loaded into it: nothing but an unfinished restore has this name. */
const LOADED = 'keytrustee_new_';

/** The name of a database for loading, from digits that no other run has. */
export const loadedName = (digits: string) => `${LOADED}${digits}`;

async function load(cluster: Cluster, account: Account, name: string, contents: SetContents): Promise<void> {
  const child = await loadIntoDatabase(cluster, account, name);
  child.stdout.resume();
  // psql ends early at its first error; what counts then is its own message, not the broken pipe.
  const fed = await pipeline(readMember(contents.handle, contents.dump), child.stdin).catch(
    (error: unknown) => error,
  );
  const result = await child.done;
  if (result.status !== 0) throw childFailure('psql', result);
  if (fed !== undefined) throw fed;
}

/** Compares a database with what the manifest says of it: every table, every count. */
export async function checkRows(cluster: Cluster, name: string, contents: SetContents): Promise<void> {
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
  await withDatabase(cluster, (database) => createDatabase(database, name), MAINTENANCE);
  reached('restore-created');
  try {
    await load(cluster, account, name, contents);
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
}
