import { type DatabasePool, withPooledTransaction } from '../database/pool.ts';
import { enqueueMail, type PairNotice } from '../mail/queue.ts';
import { addresseeOf } from './addressee.ts';
import { ADDRESSEES, type Office } from './office.ts';
import { pairWording } from './pair-wording.ts';
import { post, senderOf } from './post.ts';

/**
 * Queues a mail to every administrator about what became of the pair; the passive server is not waited for. Returns how many
 * mails that are.
 */
export async function queuePairNotices(pool: DatabasePool, notice: PairNotice): Promise<number> {
  return withPooledTransaction(
    pool,
    async (database) => {
      const { rows } = await database.query<{ id: string }>(ADDRESSEES);
      for (const { id } of rows) await enqueueMail(database, { kind: 'pair', contactId: id, notice });
      return rows.length;
    },
    { isBackground: true },
  );
}

/** Tells one administrator; false where the contact is none any more. */
export async function deliverPairNotice(
  { pool, settings, stop }: Office,
  contactId: string,
  notice: PairNotice,
): Promise<boolean> {
  const contact = await addresseeOf(pool, contactId);
  if (contact === undefined) return false;
  await post(settings, contact, pairWording(senderOf(settings), notice), stop);
  return true;
}
