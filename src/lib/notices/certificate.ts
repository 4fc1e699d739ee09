import type { Recorder } from '../core/trail.ts';
import { recordChange } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { takeDay } from '../database/jobs.ts';
import { type DatabasePool, withPooledTransaction } from '../database/pool.ts';
import { enqueueMail } from '../mail/queue.ts';
import { type Expiry, nextExpiry } from '../tls/expiry.ts';
import { addresseeOf } from './addressee.ts';
import { expiryWording } from './certificate-wording.ts';
import { ADDRESSEES, type Office } from './office.ts';
import { post, senderOf } from './post.ts';

/** The one mail of a day about the certificate. */
const NOTICE = 'certificate-notice';

async function queueAll(database: Database, recorder: Recorder, expiry: Expiry, now: Date): Promise<number> {
  const { rows } = await database.query<{ id: string }>(ADDRESSEES);
  // Without anybody to tell, the day is left to who is added later on it.
  if (rows.length === 0 || !(await takeDay(database, NOTICE, now))) return 0;
  for (const { id } of rows) await enqueueMail(database, { kind: 'certificate', contactId: id });
  const { certificate, at, days } = expiry;
  const fingerprint = certificate.fingerprint256;
  const what = { fingerprint, expires: at.toISOString(), days, mails: rows.length };
  await recordChange(recorder, 'certificate.notice', what);
  return rows.length;
}

/**
 * Queues a mail to every administrator about a certificate that expires, once in a day (UTC), however many servers and
 * starts there are. Returns how many mails that are.
 */
export async function queueExpiryNotices(
  pool: DatabasePool,
  recorder: Recorder,
  expiry: Expiry,
  now = new Date(),
): Promise<number> {
  return withPooledTransaction(pool, (database) => queueAll(database, recorder, expiry, now), {
    isBackground: true,
  });
}

/** Tells one administrator; false where the certificate was exchanged meanwhile, or the contact is none any more. */
export async function deliverExpiryNotice(office: Office, contactId: string): Promise<boolean> {
  const { pool, settings, chain, stop } = office;
  const expiry = nextExpiry(chain);
  if (expiry?.isNear !== true) return false;
  const contact = await addresseeOf(pool, contactId);
  if (contact === undefined) return false;
  const wording = expiryWording(senderOf(settings), settings.configuration.PORT, expiry);
  await post(settings, contact, wording, stop);
  return true;
}
