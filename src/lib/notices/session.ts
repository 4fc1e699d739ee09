import type { Runner, TaskList } from 'graphile-worker';
import { load } from '../core/lazy.ts';
import type { Database } from '../database/connection.ts';
import { JOB_SCHEMA } from '../database/jobs.ts';
import type { DatabasePool } from '../database/pool.ts';
import { MAIL_TASK } from '../mail/queue.ts';

/** Who hears what the sender of mails has to say; a logger of fastify is one. */
export interface MailLog {
  debug(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

/** Held by the one process of a server that sends mails. Any number that nobody else takes. */
const LOCK = 7_450_011_372;

/** Mails that are sent at the same time: one server that hangs does not hold up all. */
const CONCURRENCY = 3;

/**
 * What a mail's end is written with. Else the library waits for nobody when it writes that, and a database that is lost in this
 * moment would end the process.
 */
const BATCHES = { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } };

/** Milliseconds after which it is looked for retries that are due; new mails are announced by the database. */
const POLL = 2000;

/** Milliseconds for which a stop waits for mails that are just leaving. */
const STOP_LIMIT = 5000;

/** Whether the database takes writes: that of a passive server, or of a fenced one, does not. */
export async function isWritable(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ readOnly: string }>(
    `select current_setting('transaction_read_only') as "readOnly"`,
  );
  return rows[0]?.readOnly === 'off';
}

/** Takes the lock; false where another process has it, or the database takes no writes. */
export async function takeTurn(database: Database): Promise<boolean> {
  if (!(await isWritable(database))) return false;
  const taken = await database.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [LOCK]);
  return taken.rows[0]?.taken === true;
}

/**
 * Gives back what a killed process was sending: with the lock in hand nobody else sends. The library would wait four hours,
 * and would count the last attempt as failed without a word.
 */
export async function recoverJobs(database: Database): Promise<void> {
  const { rows } = await database.query<{ id: string; worker: string; last: boolean; attempts: number }>(
    `select id, locked_by as worker, attempts >= max_attempts as last, max_attempts - 1 as attempts
     from ${JOB_SCHEMA}.jobs where locked_by is not null and task_identifier = $1`,
    [MAIL_TASK],
  );
  if (rows.length === 0) return;
  await database.query(`select ${JOB_SCHEMA}.force_unlock_workers($1)`, [rows.map(({ worker }) => worker)]);
  for (const { id, attempts } of rows.filter(({ last }) => last))
    await database.query(`select ${JOB_SCHEMA}.reschedule_jobs($1, attempts := $2)`, [[id], attempts]);
}

/** Starts the library on the queue. It gets all of its settings here and takes none from environment or files. */
export async function startRunner(pool: DatabasePool, task: TaskList[string], log: MailLog): Promise<Runner> {
  const { run, Logger } = await load('graphileWorker');
  const logger = new Logger(() => (level, message) => {
    if (level === 'error' || level === 'warning') log.warn(`mail: ${message}`);
    else log.debug(`mail: ${message}`);
  });
  return run({
    pgPool: pool,
    schema: JOB_SCHEMA,
    taskList: { [MAIL_TASK]: task },
    parsedCronItems: [],
    concurrency: CONCURRENCY,
    pollInterval: POLL,
    noHandleSignals: true,
    gracefulShutdownAbortTimeout: STOP_LIMIT,
    logger,
    preset: BATCHES,
  });
}
