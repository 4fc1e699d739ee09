import { errorCode } from '../../core/errors.ts';
import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { type Database, withDatabase, withTransaction } from '../../database/connection.ts';
import type { Undo } from './confdir.ts';

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

/** What a swap did: whether there was a former database, which is kept, and how to go back. */
export interface Swap {
  kept: boolean;
  undo: Undo;
}

/**
 * Puts a loaded database in the place of the server's. The former one is kept under another name, and nobody can
 * connect to it. It is not interrupted in the middle; neither is its way back.
 */
export async function swapDatabase(cluster: Cluster, loaded: string, kept: string): Promise<Swap> {
  const swap = async (database: Database) => {
    const present = await exists(database, DATABASE);
    await exchangePatiently(database, loaded, present ? kept : undefined);
    return present;
  };
  const present = await withDatabase(cluster, swap, MAINTENANCE, { cleanUp: true });
  return { kept: present, undo: () => undoSwap(cluster, loaded, present ? kept : undefined) };
}

/** The former database first comes back, in one transaction; only then the one that was loaded goes. */
async function undoSwap(cluster: Cluster, loaded: string, kept: string | undefined): Promise<void> {
  if (kept === undefined) return dropDatabase(cluster, DATABASE);
  const back = (database: Database) => exchangePatiently(database, kept, loaded);
  await withDatabase(cluster, back, MAINTENANCE, { cleanUp: true });
  await dropDatabase(cluster, loaded).catch(() => undefined);
}
