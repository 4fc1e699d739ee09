import type { ClientBase } from 'pg';

/** The name under which the job queue knows mails. */
export const MAIL_TASK = 'mail';

/**
 * How often a mail is tried; with the queue's growing delay (e to the power of the attempt, seconds) that is about two days.
 * The one about the certificate is tried for ten hours: the next day brings another one in its place.
 */
const ATTEMPTS: Record<MailJob['kind'], number> = { invitation: 17, approval: 17, certificate: 11 };

/**
 * A mail that is to be sent. It names who gets it and what it is about, and never holds a token: that is made when the
 * mail is sent. `address` is the network address that a registration came from.
 */
export type MailJob =
  | { kind: 'invitation'; contactId: string }
  | { kind: 'approval'; clientId: string; contactId: string; address?: string }
  | { kind: 'certificate'; contactId: string };

const keyOf = (job: MailJob) =>
  job.kind === 'approval' ? `approval:${job.clientId}:${job.contactId}` : `${job.kind}:${job.contactId}`;

/**
 * Queues a mail inside the caller's transaction: it is sent when that is committed, and never when it is rolled back. The
 * same mail is not queued twice while it waits.
 */
export async function enqueueMail(database: ClientBase, job: MailJob): Promise<void> {
  await database.query(
    'select from graphile_worker.add_job($1, payload := $2, job_key := $3, max_attempts := $4)',
    [MAIL_TASK, JSON.stringify(job), keyOf(job), ATTEMPTS[job.kind]],
  );
}
