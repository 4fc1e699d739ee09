import type { ClientConfig, Pool } from 'pg';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { type Cluster, DATABASE, ROLE } from './cluster.ts';
import type { Database } from './connection.ts';

/** Connections that the server keeps open and lends. */
export type DatabasePool = Pool;

/** No request waits longer than this for a connection, and no query runs longer; milliseconds. */
const CONNECT_TIMEOUT = 4000;
const QUERY_TIMEOUT = 10_000;

/** How the server connects. */
export function serverConnection(cluster: Cluster): ClientConfig {
  return {
    host: cluster.socketDirectory,
    port: cluster.port,
    user: ROLE,
    database: DATABASE,
    application_name: 'keytrusteed',
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    statement_timeout: QUERY_TIMEOUT,
    idle_in_transaction_session_timeout: QUERY_TIMEOUT,
  };
}

/** Opens a pool of at most `size` connections to the server's database; each is made when it is first needed. */
export async function openPool(cluster: Cluster, size: number): Promise<DatabasePool> {
  const { default: pg } = await load('pg');
  const pool = new pg.Pool({ ...serverConnection(cluster), max: size });
  // Without a listener a restart of PostgreSQL would end this process; the query that runs reports the loss.
  pool.on('error', () => undefined);
  // The same for a connection that is lent; the queue of mails warns on stderr where a pool has no such listener.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Lends a connection of the pool to `work`; one that broke on the way is thrown away. */
export async function withPooled<T>(
  pool: DatabasePool,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const note = (error: Error) => {
    broken = error;
  };
  client.on('error', note);
  try {
    return await work(client);
  } finally {
    client.off('error', note);
    client.release(broken);
  }
}

/** What PostgreSQL says where a commit's wait for the passive server was cancelled: the row may be on this server alone. */
const ONLY_HERE = '01000';

/**
 * Commits, or fails: also where the connection was lost on the way, so that nobody knows whether the transaction counts.
 * PostgreSQL answers ROLLBACK, and no error, where a query of the transaction had failed.
 */
async function commit(database: Database): Promise<void> {
  let isOnlyHere = false;
  const hear = ({ code }: { code?: string | undefined }) => {
    isOnlyHere ||= code === ONLY_HERE;
  };
  database.on('notice', hear);
  try {
    const { command } = await database.query('commit');
    if (command === 'COMMIT' && !isOnlyHere) return;
  } catch (error) {
    throw failure('unreachable', 'it is not known whether the database kept it', undefined, error);
  } finally {
    database.off('notice', hear);
  }
  throw failure('unreachable', 'the database did not keep it for sure');
}

/** Runs `work` in one transaction on a connection of the pool. What it returns is on the disk. */
export async function withPooledTransaction<T>(
  pool: DatabasePool,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  return withPooled(pool, async (database) => {
    await database.query('begin');
    let result: T;
    try {
      result = await work(database);
    } catch (error) {
      await database.query('rollback').catch(() => undefined);
      throw error;
    }
    await commit(database);
    return result;
  });
}
