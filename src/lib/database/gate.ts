import { errorCode, failure } from '../core/errors.ts';
import { WriteRefusal, type WriteRefusalCode } from '../core/refusal.ts';
import { watchCommit } from './commit-watch.ts';
import type { Database } from './connection.ts';
import { IS_PASSIVE_HERE, OWN_REFUSAL, PAIRED, REFUSAL } from './writable.ts';

/** Work beside the requests goes on while the passive server is away: what it changes gets there later. */
const LOCAL = 'set local synchronous_commit = local';

/**
 * A commit that changed nothing waits for nobody: without this, what a first try has left on this server alone would be
 * acknowledged by the second one, which finds it done (hazard RP-4).
 */
const CONFIRM = `select pg_logical_emit_message(true, 'keytrustee', '') where pg_current_xact_id_if_assigned() is null`;

/** What PostgreSQL says where a commit's wait for the passive server was cancelled: it may be on this server alone. */
const ONLY_HERE = '01000';

/** The error of a statement in a transaction in which another one had failed. */
const IN_FAILED = '25P02';

interface Look {
  refusal: WriteRefusalCode | null;
  paired: boolean;
}

interface Result {
  command: string;
  rows: unknown[];
}

/** Several statements in one round trip. */
async function askAtOnce(database: Database, statements: string[]): Promise<Result> {
  const results = (await database.query(statements.join(';'))) as unknown as Result | Result[];
  return Array.isArray(results) ? (results.at(-1) as Result) : results;
}

/** Prepared once on each connection: to plan it takes longer than to answer it. */
const HERE = { name: 'passive-here', text: `select ${IS_PASSIVE_HERE} as here`, values: [] };

/**
 * Begins a transaction and asks PostgreSQL, in the same round trip, whether this server takes writes; in a pair also whether
 * the passive one is there, which a server that is alone does not pay for. Returns whether the commit waits for both.
 */
async function begin(database: Database, { begin, isBackground }: Required<Writing>): Promise<boolean> {
  const look = `select ${OWN_REFUSAL} as refusal, ${PAIRED} as paired`;
  const { rows } = await askAtOnce(database, [begin, ...(isBackground ? [LOCAL] : []), look]);
  const { refusal, paired } = rows[0] as Look;
  if (refusal !== null) throw new WriteRefusal(refusal);
  if (!paired || isBackground) return false;
  const answer = await database.query<{ here: boolean }>(HERE);
  if (answer.rows[0]?.here !== true) throw new WriteRefusal('passive_away');
  return true;
}

/** Commits, watched; or fails, also where nobody knows whether the transaction counts. */
async function commit(database: Database, isPaired: boolean): Promise<void> {
  let isOnlyHere = false;
  const hear = ({ code }: { code?: string | undefined }) => {
    isOnlyHere ||= code === ONLY_HERE;
  };
  database.on('notice', hear);
  const unwatch = watchCommit(database);
  let result: Result | undefined;
  try {
    result = await askAtOnce(database, [...(isPaired ? [CONFIRM] : []), 'commit']);
  } catch (error) {
    await database.query('rollback').catch(() => undefined);
    if (errorCode(error) !== IN_FAILED) throw new WriteRefusal('unconfirmed', error);
  } finally {
    unwatch();
    database.off('notice', hear);
  }
  // PostgreSQL answers ROLLBACK, and no error, where a query of the transaction had failed.
  if (result?.command !== 'COMMIT') throw failure('unreachable', 'the database did not keep it');
  if (isOnlyHere) throw new WriteRefusal('unconfirmed');
}

/**
 * Refuses work that writes by other means than `withWriting`, before it begins: a restore. `isAlone`: it must be done here
 * whether or not the passive server is there.
 */
export async function refuseUnwritable(database: Database, isAlone = false): Promise<void> {
  const why = isAlone ? OWN_REFUSAL : REFUSAL;
  const { rows } = await database.query<Pick<Look, 'refusal'>>(`select ${why} as refusal`);
  const refusal = rows[0]?.refusal ?? null;
  if (refusal !== null) throw new WriteRefusal(refusal);
}

/** How a transaction that writes is begun. */
export interface Writing {
  begin?: string;
  /** Whether it goes on while the passive server is away: the queue of mails, purging. Never what is acknowledged to anybody. */
  isBackground?: boolean;
}

/**
 * Runs `work` in one transaction that may write: all of it, or nothing. What it returns is on the disk, in a pair on those of
 * both servers. Refused before anything is written where this server takes no writes, or the passive one is away.
 */
export async function withWriting<T>(
  database: Database,
  work: () => Promise<T>,
  { begin: start = 'begin', isBackground = false }: Writing = {},
): Promise<T> {
  let isPaired: boolean;
  let result: T;
  try {
    isPaired = await begin(database, { begin: start, isBackground });
    result = await work();
  } catch (error) {
    await database.query('rollback').catch(() => undefined);
    throw error;
  }
  await commit(database, isPaired);
  return result;
}
