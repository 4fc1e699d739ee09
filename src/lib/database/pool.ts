import type { ClientBase, ClientConfig } from 'pg';
import { load } from '../core/lazy.ts';
import { WriteRefusal } from '../core/refusal.ts';
import { within } from '../core/within.ts';
import { isUnavailable } from './availability.ts';
import { type Cluster, DATABASE, ROLE } from './cluster.ts';
import type { Database } from './connection.ts';
import { type Writing, withWriting } from './gate.ts';
import { letGo } from './let-go.ts';
import { openRoutedPool, type RoutedPool } from './routed-pool.ts';
import { isExternal, type Source } from './source.ts';
import { createTurns, type Turns } from './turns.ts';

/** Connections that the server keeps open and lends. */
export type DatabasePool = RoutedPool;

/** No request waits longer than this for a connection, and no query runs longer; milliseconds. */
const CONNECT_TIMEOUT = 4000;
const QUERY_TIMEOUT = 10_000;

/** So long goodbyes are waited for; milliseconds. */
export const CLOSE_TIMEOUT = 2000;

/** Connections of a pool that transactions which write leave to others. */
const KEPT = 2;

/** A host elsewhere can be gone without a word: then a query is given up here; milliseconds. What became of it is not known. */
const ANSWER_TIMEOUT = 18_000;

const LIMITS = {
  application_name: 'keytrusteed',
  connectionTimeoutMillis: CONNECT_TIMEOUT,
  statement_timeout: QUERY_TIMEOUT,
  idle_in_transaction_session_timeout: QUERY_TIMEOUT,
};

/** How the server connects to a database elsewhere; to which host is another question. */
export const REMOTE: ClientConfig = { ...LIMITS, query_timeout: ANSWER_TIMEOUT };

/** How the server connects to its private cluster. */
export function serverConnection(cluster: Cluster): ClientConfig {
  return { host: cluster.socketDirectory, port: cluster.port, user: ROLE, database: DATABASE, ...LIMITS };
}

/** Makes every commit of a connection count as soon as it is on this server: for work that nobody waits for. */
const BACKGROUND = { options: '-c synchronous_commit=local' };

async function openPrivatePool(cluster: Cluster, size: number, isBackground: boolean): Promise<DatabasePool> {
  const { default: pg } = await load('pg');
  return new pg.Pool({
    ...serverConnection(cluster),
    ...(isBackground ? BACKGROUND : {}),
    max: size,
  });
}

/** The connections of each pool. */
const open = new WeakMap<DatabasePool, Set<ClientBase>>();

/**
 * Opens a pool of at most `size` connections to the server's database; each is made when it is first needed. One for work in
 * the background does not wait for the passive server; what others run waits as they have set it.
 */
export async function openPool(
  source: Source,
  size: number,
  { isBackground = false } = {},
): Promise<DatabasePool> {
  const pool = await (isExternal(source)
    ? openRoutedPool(source.route, REMOTE, size)
    : openPrivatePool(source, size, isBackground));
  // Without a listener a restart of PostgreSQL would end this process; the query that runs reports the loss.
  pool.on('error', () => undefined);
  // The same for a connection that is lent; the queue of mails warns on stderr where a pool has no such listener.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const clients = new Set<ClientBase>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));
  open.set(pool, clients);
  return pool;
}

/** Closes a pool. A PostgreSQL that says nothing any more says no goodbye either: it is not waited for long. */
export async function closePool(pool: DatabasePool): Promise<void> {
  try {
    await within(pool.end(), CLOSE_TIMEOUT);
  } finally {
    for (const client of open.get(pool) ?? []) letGo(client);
  }
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
  } catch (error) {
    if (error instanceof Error && pool.isLost?.(error) === true) broken ??= error;
    throw error;
  } finally {
    client.off('error', note);
    client.release(broken);
  }
}

/** Whether the database failed before anything was committed; of a commit that is lost `withWriting` says that itself. */
const isBeforeCommit = (error: unknown) => !(error instanceof WriteRefusal) && isUnavailable(error);

/**
 * Runs `work` in one transaction that may write, on a connection of the pool; see `withWriting`. Where there was no turn or
 * no connection, or it was lost before the commit was sent, it is refused for sure: nothing was written.
 */
export async function withPooledTransaction<T>(
  pool: DatabasePool,
  work: (database: Database) => Promise<T>,
  writing?: Writing,
): Promise<T> {
  try {
    return await turnsOf(pool).take(() =>
      withPooled(pool, (database) => withWriting(database, () => work(database), writing)),
    );
  } catch (error) {
    throw isBeforeCommit(error) ? new WriteRefusal('database_away', error) : error;
  }
}

const turns = new WeakMap<DatabasePool, Turns>();

/** Some connections are kept for what reads: where the passive server hangs, commits wait for seconds, and reads do not. */
function turnsOf(pool: DatabasePool): Turns {
  const known = turns.get(pool) ?? createTurns(Math.max(1, (pool.options.max ?? 0) - KEPT), CONNECT_TIMEOUT);
  turns.set(pool, known);
  return known;
}

/** How many requests wait for a connection of the pool. */
export function waitingFor(pool: DatabasePool): number {
  return pool.waitingCount + turnsOf(pool).waiting();
}
