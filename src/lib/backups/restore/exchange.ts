import { errorCode } from '../../core/errors.ts';
import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { type Database, withDatabase, withTransaction } from '../../database/connection.ts';

/** The database that one is connected to while others are renamed. */
export const MAINTENANCE = 'postgres';

/** How often a client may come back in the moment between the end of its connection and the rename. */
const ATTEMPTS = 5;

/** SQLSTATE of a rename that others' connections prevent. */
const IN_USE = '55006';

/** Drops a database of ours, with whatever is connected to it. Clean-up: an interruption does not end it. */
export async function dropDatabase(cluster: Cluster, name: string): Promise<void> {
  const drop = (database: Database) =>
    database.query(`drop database if exists ${database.escapeIdentifier(name)} with (force)`);
  await withDatabase(cluster, drop, MAINTENANCE, { cleanUp: true });
}

async function exists(database: Database, name: string): Promise<boolean> {
  const { rowCount } = await database.query('select from pg_database where datname = $1', [name]);
  return rowCount === 1;
}

async function disconnect(database: Database, name: string): Promise<void> {
  const end = 'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1';
  await database.query(end, [name]);
}

async function rename(database: Database, from: string, to: string): Promise<void> {
  const names = [from, to].map((name) => database.escapeIdentifier(name));
  await database.query(`alter database ${names[0]} rename to ${names[1]}`);
}

async function allowConnections(database: Database, name: string, allowed: boolean): Promise<void> {
  await database.query(`alter database ${database.escapeIdentifier(name)} allow_connections ${allowed}`);
}

/**
 * Puts the database `from` in the place of the server's, which gets the name `aside` where there is one: both renames
 * and who may connect in one transaction, so that a crash at any instant leaves the one or the other (hazards PG-7, PG-8).
 */
async function exchange(database: Database, from: string, aside: string | undefined): Promise<void> {
  await disconnect(database, DATABASE);
  await withTransaction(database, async () => {
    if (aside !== undefined) {
      await rename(database, DATABASE, aside);
      await allowConnections(database, aside, false);
    }
    await rename(database, from, DATABASE);
    await allowConnections(database, DATABASE, true);
  });
}

async function exchangePatiently(database: Database, from: string, aside: string | undefined): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await exchange(database, from, aside);
      return;
    } catch (error) {
      if (errorCode(error) !== IN_USE || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The names of all databases of a cluster. */
export async function databaseNames(cluster: Cluster): Promise<string[]> {
  const list = async (database: Database) => {
    const { rows } = await database.query<{ datname: string }>(
      'select datname from pg_database order by datname collate "C"',
    );
    return rows.map(({ datname }) => datname);
  };
  return withDatabase(cluster, list, MAINTENANCE, { cleanUp: true });
}

/**
 * Puts the database `from` in the place of the server's. The one that is there gets the name `aside`, and nobody can
 * connect to it. It is not interrupted in the middle.
 */
export async function exchangeDatabase(cluster: Cluster, from: string, aside: string): Promise<void> {
  const swap = async (database: Database) => {
    const present = await exists(database, DATABASE);
    await exchangePatiently(database, from, present ? aside : undefined);
  };
  await withDatabase(cluster, swap, MAINTENANCE, { cleanUp: true });
}

/** Gives the server's database another name, where nothing is to come in its place. */
export async function setDatabaseAside(cluster: Cluster, aside: string): Promise<void> {
  const move = async (database: Database) => {
    await disconnect(database, DATABASE);
    await withTransaction(database, async () => {
      await rename(database, DATABASE, aside);
      await allowConnections(database, aside, false);
    });
  };
  await withDatabase(cluster, move, MAINTENANCE, { cleanUp: true });
}

/** Lets a kept database be read while `work` runs, to which nobody can connect otherwise. */
export async function withConnectionsAllowed<T>(
  cluster: Cluster,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const options = { cleanUp: true };
  const { rows } = await withDatabase(
    cluster,
    (database) =>
      database.query<{ open: boolean }>('select datallowconn as open from pg_database where datname = $1', [
        name,
      ]),
    MAINTENANCE,
  );
  if (rows[0]?.open !== false) return work();
  const allow = (allowed: boolean) =>
    withDatabase(cluster, (database) => allowConnections(database, name, allowed), MAINTENANCE, options);
  await allow(true);
  try {
    return await work();
  } finally {
    await allow(false);
  }
}
