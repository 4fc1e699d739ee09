import type { Account } from '../core/account.ts';
import { failure } from '../core/errors.ts';
import { childFailure } from '../core/process.ts';
import type { Cluster } from '../database/cluster.ts';
import { type Database, withDatabase, withTransaction } from '../database/connection.ts';
import { countRows, dumpDatabase, dumpIsComplete } from '../database/dump.ts';
import { type Spool, spoolEncrypted } from './spool.ts';

/** The number of the advisory lock that one backup run holds: `ktbackup` in ASCII, cut to a positive bigint. */
const LOCK = '7742929871846468976';

/** A complete dump, and what the same snapshot of the database says of itself. */
export interface DatabaseSnapshot {
  dump: Spool;
  rows: Record<string, number>;
  postgresql: string;
  systemIdentifier: string;
  /** Fails when the lock that came with the snapshot was lost meanwhile. */
  check(): Promise<void>;
}

async function lockOut(database: Database): Promise<void> {
  const { rows } = await database.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
    LOCK,
  ]);
  if (rows[0]?.locked !== true) {
    throw failure('locked', 'another backup of this server is running', 'wait until it has ended');
  }
}

async function spoolDump(
  cluster: Cluster,
  account: Account,
  snapshot: string,
  directory: string,
): Promise<Spool> {
  const child = await dumpDatabase(cluster, account, snapshot);
  child.stdin.end();
  const spool = await spoolEncrypted(child.stdout, directory).catch((error: unknown) => {
    child.kill();
    throw error;
  });
  try {
    // The end of its output says nothing of how the producer ended (hazards PG-16, PG-17).
    const result = await child.done;
    if (result.status !== 0) throw childFailure('pg_dump', result);
    if (!dumpIsComplete(spool.end)) throw failure('failed', 'pg_dump ended without finishing the dump');
    return spool;
  } catch (error) {
    await spool.close();
    throw error;
  }
}

async function describe(database: Database): Promise<{ postgresql: string; systemIdentifier: string }> {
  const { rows } = await database.query<{ version: string; system: string }>(
    "select current_setting('server_version') as version, system_identifier::text as system from pg_control_system()",
  );
  return { postgresql: rows[0]?.version ?? '', systemIdentifier: rows[0]?.system ?? '' };
}

async function checkConnection(database: Database): Promise<void> {
  await database.query('select 1').catch((error: unknown) => {
    throw failure(
      'failed',
      'the database was stopped or exchanged while the backup was made',
      'run the backup again',
      error,
    );
  });
}

/**
 * Dumps the database and counts its rows in one snapshot, and lends both to `work`. Only one run at a time can hold the
 * snapshot of a server; PostgreSQL frees the lock when a run dies.
 */
export async function withSnapshot<T>(
  cluster: Cluster,
  account: Account,
  directory: string,
  work: (snapshot: DatabaseSnapshot) => Promise<T>,
): Promise<T> {
  return withDatabase(cluster, async (database) => {
    await lockOut(database);
    const take = async (): Promise<DatabaseSnapshot> => {
      const { rows } = await database.query<{ id: string }>('select pg_export_snapshot() as id');
      const dump = await spoolDump(cluster, account, rows[0]?.id ?? '', directory);
      const check = () => checkConnection(database);
      try {
        return { dump, rows: await countRows(database), ...(await describe(database)), check };
      } catch (error) {
        await dump.close();
        throw error;
      }
    };
    const snapshot = await withTransaction(database, take, 'begin isolation level repeatable read read only');
    try {
      if (Object.keys(snapshot.rows).length === 0)
        throw failure('state', 'the database has no tables: nothing to back up');
      return await work(snapshot);
    } finally {
      await snapshot.dump.close();
    }
  });
}
