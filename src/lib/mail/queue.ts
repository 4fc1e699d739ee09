import type { ClientBase } from 'pg';

/** The name under which the job queue knows mails. */
export const MAIL_TASK = 'mail';

/**
 * How often a mail is tried; with the queue's growing delay (e to the power of the attempt, seconds) that is about two days.
 * Those about the certificate and the pair are tried for ten hours: what they tell is old then.
 */
const ATTEMPTS: Record<MailJob['kind'], number> = { invitation: 17, approval: 17, certificate: 11, pair: 11 };

/** Something that became of a pair of servers. */
export interface PairNotice {
  what: 'passive-away' | 'degraded' | 'restored';
  /** The active server, and the passive one. */
  active: string;
  passive: string;
  /** Since when the passive is, or was, away; ISO 8601. */
  since: string;
}

/**
 * A mail that is to be sent. It names who gets it and what it is about, and never holds a token: that is made when the
 * mail is sent. `address` is the network address that a registration came from.
 */
export type MailJob =
  | { kind: 'invitation'; contactId: string }
  | { kind: 'approval'; clientId: string; contactId: string; address?: string }
  | { kind: 'certificate'; contactId: string }
  | { kind: 'pair'; contactId: string; notice: PairNotice };

function keyOf(job: MailJob): string {
  if (job.kind === 'approval') return `approval:${job.clientId}:${job.contactId}`;
  return job.kind === 'pair' ? `pair:${job.notice.what}:${job.contactId}` : `${job.kind}:${job.contactId}`;
}

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
