import type { Database } from '../database/connection.ts';
import { withWriting } from '../database/gate.ts';
import { JOB_SCHEMA } from '../database/jobs.ts';
import { MAIL_TASK } from '../mail/queue.ts';

/** A mail that has not been sent. Times are ISO 8601. */
export interface QueuedMail {
  id: string;
  kind: string;
  state: 'waiting' | 'sending' | 'retrying' | 'given-up';
  /** Null where the contact was removed meanwhile. */
  to: string | null;
  organization: string | null;
  attempts: number;
  created: string;
  /** When it is tried next; null where it is not. */
  next: string | null;
  lastError: string | null;
}

/** A job whose key is gone was replaced by a newer one for the same mail. */
const OURS = `from ${JOB_SCHEMA}.jobs where task_identifier = $1 and key is not null`;

/** The mails that have not been sent, oldest first. */
export async function listQueue(database: Database): Promise<QueuedMail[]> {
  const { rows } = await database.query<Record<keyof QueuedMail, string> & Times>(
    `select job.id, job.kind, job.attempts, job.created_at as created, job.run_at as next, job.last_error as "lastError",
            contact.email as to, organization.name as organization,
            case when job.locked_at is not null then 'sending' when job.attempts >= job.max_attempts then 'given-up'
                 when job.attempts > 0 then 'retrying' else 'waiting' end as state
     from (select *, split_part(key, ':', 1) as kind, regexp_replace(key, '^.*:', '')::bigint as contact_id ${OURS}) as job
     left join public.contact on contact.id = job.contact_id
     left join public.organization on organization.id = contact.organization_id
     order by job.id`,
    [MAIL_TASK],
  );
  return rows.map((row) => ({
    ...(row as unknown as QueuedMail),
    created: row.created.toISOString(),
    next: row.state === 'waiting' || row.state === 'retrying' ? row.next.toISOString() : null,
  }));
}

interface Times {
  created: Date;
  next: Date;
}

/** Has every mail that was given up tried again, now and as often as a new one. Returns how many there are. */
export async function retryGivenUp(database: Database): Promise<number> {
  const reschedule = () =>
    database.query(
      `select ${JOB_SCHEMA}.reschedule_jobs(array_agg(id), run_at := now(), attempts := 0)
     from (select id ${OURS} and attempts >= max_attempts and locked_at is null) as given_up having count(*) > 0`,
      [MAIL_TASK],
    );
  const { rowCount } = await withWriting(database, reschedule);
  return rowCount ?? 0;
}

/** Counts the mails that are still to be sent, or those that were given up. */
export async function countMails(
  database: Pick<Database, 'query'>,
  which: 'waiting' | 'given-up',
): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    `select count(*) ${OURS} and (attempts >= max_attempts and locked_at is null) = $2`,
    [MAIL_TASK, which === 'given-up'],
  );
  return Number(rows[0]?.count);
}
