import type { QueryResultRow } from 'pg';
import { failure } from '../core/errors.ts';
import type { DatabasePool } from './pool.ts';
import type { Answer, Reader, Statement } from './reader.ts';

/** What questions can be asked with. */
export interface Databases {
  pool: DatabasePool;
  reader: Reader;
}

/**
 * Asks the host that takes writes, by the pool; while a database elsewhere has none, what is there. For questions that change
 * nothing and may take long.
 */
export async function queryAnywhere<Row extends QueryResultRow>(
  { pool, reader }: Databases,
  statement: Statement,
): Promise<Answer<Row>> {
  try {
    return await pool.query<Row>(statement);
  } catch (error) {
    if (pool.isLost?.(error) !== true) throw error;
    return reader.query<Row>(statement);
  }
}

/** Fails where only a host answered that takes no writes, and it does not have what is asked for: the others may. */
export function refuseMakeshift({ isMakeshift }: { isMakeshift?: boolean }): void {
  if (isMakeshift === true)
    throw failure('unreachable', 'no host of the database takes writes now, and the others do not have this');
}
