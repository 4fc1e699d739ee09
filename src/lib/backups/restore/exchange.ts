import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, failure } from '../../core/errors.ts';
import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { type Database, withDatabase, withTransaction } from '../../database/connection.ts';

/** The database that one is connected to while others are renamed. */
export const MAINTENANCE = 'postgres';

/** How often the connections of others are asked to end while a rename waits for them; milliseconds. PostgreSQL waits 5 s. */
const PRESS = 50;

/** An interruption does not end it, and it waits for no passive server. */
const CLEAN_UP = { cleanUp: true, isLocal: true };

/** SQLSTATE of a rename that others' connections prevent. */
const IN_USE = '55006';

/** Drops a database of ours, with whatever is connected to it. Clean-up: an interruption does not end it. */
export async function dropDatabase(cluster: Cluster, name: string): Promise<void> {
  const drop = (database: Database) =>
    database.query(`drop database if exists ${database.escapeIdentifier(name)} with (force)`);
  await withDatabase(cluster, drop, MAINTENANCE, CLEAN_UP);
}

async function oidOf(database: Database, name: string): Promise<number | undefined> {
  const { rows } = await database.query<{ oid: number }>('select oid from pg_database where datname = $1', [
    name,
  ]);
  return rows[0]?.oid;
}

/** Ends the connections to one database again and again, whatever its name has become, until it is told to stop. */
async function pressOut(database: Database, isOver: () => boolean): Promise<void> {
  const oid = await oidOf(database, DATABASE);
  const end = 'select pg_terminate_backend(pid) from pg_stat_activity where datid = $1';
  for (; oid !== undefined && !isOver(); await delay(PRESS)) await database.query(end, [oid]);
}

/**
 * Renames while nobody else is connected to the server's database. Clients of a server that runs come back as fast as they are
 * sent away; but once a rename has begun, its lock keeps new ones waiting, and those that are there end while it waits for them.
 */
async function alone(cluster: Cluster, renames: () => Promise<void>): Promise<void> {
  let isOver = false;
  const others = withDatabase(cluster, (database) => pressOut(database, () => isOver), MAINTENANCE, CLEAN_UP);
  others.catch(() => undefined);
  try {
    await renames();
  } catch (error) {
    if (errorCode(error) !== IN_USE) throw error;
    throw failure(
      'state',
      'others use the database and do not leave it',
      'stop keytrusteed; then run it again',
    );
  } finally {
    isOver = true;
    await others.catch(() => undefined);
  }
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
  await withTransaction(database, async () => {
    if (aside !== undefined) {
      await rename(database, DATABASE, aside);
      await allowConnections(database, aside, false);
    }
    await rename(database, from, DATABASE);
    await allowConnections(database, DATABASE, true);
  });
}

/** The names of all databases of a cluster. */
export async function databaseNames(cluster: Cluster): Promise<string[]> {
  const list = async (database: Database) => {
    const { rows } = await database.query<{ datname: string }>(
      'select datname from pg_database order by datname collate "C"',
    );
    return rows.map(({ datname }) => datname);
  };
  return withDatabase(cluster, list, MAINTENANCE, CLEAN_UP);
}

/** Who a database is for PostgreSQL: that stays when its name changes. Undefined where there is none of that name. */
export async function databaseOid(cluster: Cluster, name: string): Promise<number | undefined> {
  return withDatabase(cluster, (database) => oidOf(database, name), MAINTENANCE, CLEAN_UP);
}

/**
 * Puts the database `from` in the place of the server's. The one that is there gets the name `aside`, and nobody can
 * connect to it. It is not interrupted in the middle.
 */
export async function exchangeDatabase(cluster: Cluster, from: string, aside: string): Promise<void> {
  const swap = async (database: Database) => {
    const isPresent = (await oidOf(database, DATABASE)) !== undefined;
    await exchange(database, from, isPresent ? aside : undefined);
  };
  await alone(cluster, () => withDatabase(cluster, swap, MAINTENANCE, CLEAN_UP));
}

/** Gives the server's database another name, where nothing is to come in its place. */
export async function setDatabaseAside(cluster: Cluster, aside: string): Promise<void> {
  const move = (database: Database) =>
    withTransaction(database, async () => {
      await rename(database, DATABASE, aside);
      await allowConnections(database, aside, false);
    });
  await alone(cluster, () => withDatabase(cluster, move, MAINTENANCE, CLEAN_UP));
}

/** Lets a kept database be read while `work` runs, to which nobody can connect otherwise. */
export async function withConnectionsAllowed<T>(
  cluster: Cluster,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
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
    withDatabase(cluster, (database) => allowConnections(database, name, allowed), MAINTENANCE, CLEAN_UP);
  await allow(true);
  try {
    return await work();
  } finally {
    await allow(false);
  }
}
