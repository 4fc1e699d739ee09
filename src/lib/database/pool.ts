import type { Pool } from 'pg';
import { load } from '../core/lazy.ts';
import { type Cluster, DATABASE, ROLE } from './cluster.ts';
import type { Database } from './connection.ts';

/** Connections that the server keeps open and lends. */
export type DatabasePool = Pool;

/** No request waits longer than this for a connection, and no query runs longer; milliseconds. */
const CONNECT_TIMEOUT = 4000;
const QUERY_TIMEOUT = 10_000;

/** Opens a pool of at most `size` connections to the server's database; each is made when it is first needed. */
export async function openPool(cluster: Cluster, size: number): Promise<DatabasePool> {
  const { default: pg } = await load('pg');
  const pool = new pg.Pool({
    host: cluster.socketDirectory,
    port: cluster.port,
    user: ROLE,
    database: DATABASE,
    application_name: 'keytrusteed',
    max: size,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    statement_timeout: QUERY_TIMEOUT,
    idle_in_transaction_session_timeout: QUERY_TIMEOUT,
  });
  // Without a listener a restart of PostgreSQL would end this process; the query that runs reports the loss.
  pool.on('error', () => undefined);
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
