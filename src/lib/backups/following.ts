import type { Database } from '../database/connection.ts';

/**
 * A passive server of a pair to which nothing comes, and of when the last change is that it has applied; that is not known
 * where it has applied none since it was started. A fenced server is told of otherwise.
 */
const CUT_OFF = `
  select pg_last_xact_replay_timestamp() as last
  where pg_is_in_recovery() and current_setting('keytrustee.role', true) is distinct from 'fenced'
    and not exists (select from pg_stat_wal_receiver where status = 'streaming')`;

/**
 * What a set may lack that is made on a passive server to which nothing comes from the active one: that may go on alone by its
 * policy, or by `ha sync off`. Undefined on every other server.
 */
export async function whatIsMissing(database: Pick<Database, 'query'>): Promise<string | undefined> {
  const { rows } = await database.query<{ last: Date | null }>(CUT_OFF);
  const [row] = rows;
  if (row === undefined) return undefined;
  const since =
    row.last === null
      ? 'since when is not known here'
      : `the last change here is of ${row.last.toISOString().slice(0, 19)}Z`;
  return `Nothing comes from the active server, and this set lacks what that acknowledged without this one: ${since}; ktadmin ha status tells what to do`;
}
