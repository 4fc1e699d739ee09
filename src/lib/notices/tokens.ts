import { createHash } from 'node:crypto';
import { randomToken } from '../core/random.ts';
import type { DatabasePool } from '../database/pool.ts';

/** A token of a link, and until when it holds. */
export interface IssuedToken {
  token: string;
  expires: Date;
}

/** Only the hash is kept. The statement is a transaction of its own, which is over before the mail leaves. */
async function issue(pool: DatabasePool, sql: string, ids: string[]): Promise<IssuedToken> {
  const token = randomToken();
  const hash = createHash('sha256').update(token).digest();
  const { rows } = await pool.query<{ expires: Date }>(sql, [...ids, hash]);
  const [row] = rows;
  if (row === undefined) throw new Error('no token was stored');
  return { token, expires: row.expires };
}

/** Makes the token of a contact's page, valid 12 hours; those before it that nobody used are void. */
export function issueInvitation(pool: DatabasePool, contactId: string): Promise<IssuedToken> {
  return issue(
    pool,
    `with void as (delete from public.contact_invitation where contact_id = $1 and used_at is null)
     insert into public.contact_invitation (contact_id, token_hash, expires_at)
     values ($1, $2, now() + interval '12 hours') returning expires_at as expires`,
    [contactId],
  );
}

/** Makes the token by which a contact decides on a client, valid 12 hours; unused ones of both before it are void. */
export function issueApproval(pool: DatabasePool, clientId: string, contactId: string): Promise<IssuedToken> {
  return issue(
    pool,
    `with void as (
       delete from public.client_approval where client_id = $1 and contact_id = $2 and used_at is null
     )
     insert into public.client_approval (client_id, contact_id, token_hash, expires_at)
     values ($1, $2, $3, now() + interval '12 hours') returning expires_at as expires`,
    [clientId, contactId],
  );
}
