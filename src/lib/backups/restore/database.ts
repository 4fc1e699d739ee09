import { pipeline } from 'node:stream/promises';
import { readMember } from '../../archive/read.ts';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { childFailure } from '../../core/process.ts';
import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { type Database, withDatabase, withTransaction } from '../../database/connection.ts';
import { countRows, loadIntoDatabase } from '../../database/dump.ts';
import { createDatabase } from '../../database/migrations.ts';
import type { Undo } from './confdir.ts';
import type { SetContents } from './contents.ts';

const MAINTENANCE = 'postgres';

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

/** Drops a database of ours, with whatever is connected to it. */
export async function dropDatabase(cluster: Cluster, name: string): Promise<void> {
  await withDatabase(
    cluster,
    (database) => database.query(`drop database if exists ${database.escapeIdentifier(name)} with (force)`),
    MAINTENANCE,
  );
}

/** Loads a set's dump into a new database and checks it; on any failure that database is gone again. */
export async function loadDatabase(
  cluster: Cluster,
  account: Account,
  name: string,
  contents: SetContents,
): Promise<void> {
  await withDatabase(cluster, (database) => createDatabase(database, name), MAINTENANCE);
  try {
    await load(cluster, account, name, contents);
    await checkRows(cluster, name, contents);
  } catch (error) {
    await dropDatabase(cluster, name).catch(() => undefined);
    throw error;
  }
}

async function disconnect(database: Database, name: string): Promise<void> {
  await database.query(`alter database ${database.escapeIdentifier(name)} with allow_connections false`);
  await database.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1', [
    name,
  ]);
}

async function databaseExists(database: Database, name: string): Promise<boolean> {
  const { rowCount } = await database.query('select from pg_database where datname = $1', [name]);
  return rowCount === 1;
}

async function renameDatabase(database: Database, from: string, to: string): Promise<void> {
  await database.query(
    `alter database ${database.escapeIdentifier(from)} rename to ${database.escapeIdentifier(to)}`,
  );
}

async function allowConnections(database: Database, name: string): Promise<void> {
  await database.query(`alter database ${database.escapeIdentifier(name)} with allow_connections true`);
}

/**
 * Puts the loaded database in the place of the server's, both renames in one transaction; the former one is kept under
 * another name. Connections to it are ended first, because a rename waits for them (hazards PG-7, PG-8).
 */
export async function swapDatabase(cluster: Cluster, loaded: string, kept: string): Promise<Undo> {
  const hadFormer = await withDatabase(
    cluster,
    async (database) => {
      const present = await databaseExists(database, DATABASE);
      if (present) await disconnect(database, DATABASE);
      try {
        await withTransaction(database, async () => {
          if (present) await renameDatabase(database, DATABASE, kept);
          await renameDatabase(database, loaded, DATABASE);
        });
      } catch (error) {
        if (present) await allowConnections(database, DATABASE);
        throw error;
      }
      return present;
    },
    MAINTENANCE,
  );
  return () => undoSwap(cluster, hadFormer ? kept : undefined);
}

async function undoSwap(cluster: Cluster, kept: string | undefined): Promise<void> {
  await dropDatabase(cluster, DATABASE);
  if (kept === undefined) return;
  await withDatabase(
    cluster,
    async (database) => {
      await renameDatabase(database, kept, DATABASE);
      await allowConnections(database, DATABASE);
    },
    MAINTENANCE,
  );
}
