import { errorCode, failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { type Database, withTransaction } from './connection.ts';
import { withSessionLock } from './session-lock.ts';

/** The schema of the job queue: what waits there is not part of a backup set, or a restore would do old work again. */
export const JOB_SCHEMA = 'graphile_worker';

/** The last of the queue's own migrations in the version of the library that is installed. */
const LAST = 19;

/** Keeps two runs from making the tables at once. Any number that nobody else takes. */
const LOCK = 7_450_011_371;

/** SQLSTATE of a schema or a table that is not there. */
const MISSING = new Set(['3F000', '42P01']);

async function lastApplied(database: Database): Promise<number> {
  try {
    const { rows } = await database.query<{ id: number | null }>(
      `select max(id) as id from ${JOB_SCHEMA}.migrations`,
    );
    return rows[0]?.id ?? 0;
  } catch (error) {
    if (MISSING.has(errorCode(error) ?? '')) return 0;
    throw error;
  }
}

function refuseNewer(applied: number): void {
  if (applied <= LAST) return;
  throw failure(
    'state',
    `the job queue of the database was made by a newer version of ktadmin (${applied}, known is ${LAST})`,
    'install that version',
  );
}

/** Whether a database has the job queue in the form that this version works with. */
export async function hasJobs(database: Database): Promise<boolean> {
  const applied = await lastApplied(database);
  refuseNewer(applied);
  return applied === LAST;
}

/**
 * The library's account of its migrations, which its runner reads when it starts. It would apply them itself, one
 * transaction each, and through a pool; here they are one transaction under a lock, as those of the server's tables.
 */
const ACCOUNT = `
  create schema if not exists ${JOB_SCHEMA};
  create table if not exists ${JOB_SCHEMA}.migrations (id int primary key, ts timestamptz default now() not null);
  alter table ${JOB_SCHEMA}.migrations add column if not exists breaking boolean not null default false`;

async function applyPending(database: Database): Promise<void> {
  const { migrations } = await load('jobTables');
  await database.query(ACCOUNT);
  const applied = await lastApplied(database);
  for (const [name, sql] of Object.entries(migrations)) {
    const id = Number.parseInt(name, 10);
    if (id <= applied) continue;
    await database.query(`insert into ${JOB_SCHEMA}.migrations (id, breaking) values ($1, $2)`, [
      id,
      sql.startsWith('--! breaking'),
    ]);
    await database.query(sql.replace(/:GRAPHILE_WORKER_SCHEMA\b/g, JOB_SCHEMA));
  }
}

/** Makes the tables of the job queue, or brings them up to this version; one query where nothing is to be done. */
export async function ensureJobs(database: Database): Promise<void> {
  if (await hasJobs(database)) return;
  await withSessionLock(database, LOCK, async () => {
    if (!(await hasJobs(database))) await withTransaction(database, () => applyPending(database));
  });
}

/**
 * Takes a day (UTC) for what is done once in each, in the transaction in which it is done: false where it is taken. It stands
 * in the library's own account of what it does by the clock, under a name that none of its work has. A day that lies further
 * ahead than clocks differ was taken by a clock that was wrong, and does not count.
 */
export async function takeDay(database: Database, name: string, now: Date): Promise<boolean> {
  const { rowCount } = await database.query(
    `insert into ${JOB_SCHEMA}._private_known_crontabs as known (identifier, known_since, last_execution)
     values ($1, now(), $2) on conflict (identifier) do update set last_execution = excluded.last_execution
     where known.last_execution < excluded.last_execution
        or known.last_execution > excluded.last_execution + interval '1 day'`,
    [name, `${now.toISOString().slice(0, 10)}T00:00:00Z`],
  );
  return rowCount === 1;
}

/** Takes the job queue out of a database that was loaded from elsewhere: its jobs are old, and its code a stranger's. */
export async function dropJobs(database: Database): Promise<void> {
  await database.query(`drop schema if exists ${JOB_SCHEMA} cascade`);
}
