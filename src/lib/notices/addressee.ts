import type { DatabasePool } from '../database/pool.ts';
import { RUNNING } from './office.ts';
import type { Addressee } from './post.ts';

/** How an administrator is reached; undefined where the contact is none of an organization that is served any more. */
export async function addresseeOf(pool: DatabasePool, contactId: string): Promise<Addressee | undefined> {
  const { rows } = await pool.query<Addressee>(
    `select email, contact.public_key as "publicKey"
     from public.contact join public.organization on organization.id = organization_id
     where contact.id = $1 and ${RUNNING}`,
    [contactId],
  );
  return rows[0];
}
