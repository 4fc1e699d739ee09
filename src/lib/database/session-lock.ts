import type { Database } from './connection.ts';

/**
 * Does work in a session of PostgreSQL that only one may do at a time; `key` is any number that nobody else takes. The lock is
 * taken before the work begins its transaction: one that began before it had to wait may believe, in PostgreSQL's caches,
 * that what another session has made meanwhile is not there.
 */
export async function withSessionLock<T>(
  database: Database,
  key: number,
  work: () => Promise<T>,
): Promise<T> {
  await database.query('select pg_advisory_lock($1)', [key]);
  try {
    return await work();
  } finally {
    await database.query('select pg_advisory_unlock($1)', [key]).catch(() => undefined);
  }
}
