/** Links as the mails have them, made without a mail. */
import { createHash } from 'node:crypto';
import { randomToken } from '../../src/lib/core/random.ts';
import { onDatabase } from './database.ts';
import type { TestServer } from './sandbox.ts';

/** How long a link works; in SQL, because the database's clock decides. */
const HOURS = { open: "now() + interval '12 hours'", expired: "now() - interval '1 second'" };

async function insertLink(server: TestServer, sql: string, values: string[]): Promise<string> {
  const token = randomToken();
  const hash = createHash('sha256').update(token).digest();
  const { rowCount } = await onDatabase(server, (database) => database.query(sql, [hash, ...values]));
  if (rowCount !== 1) throw new Error('nobody to invite');
  return token;
}

/** Invites a contact to register a key, and returns the link's token. */
export function inviteContact(
  server: TestServer,
  email: string,
  until: keyof typeof HOURS = 'open',
): Promise<string> {
  return insertLink(
    server,
    `insert into public.contact_invitation (contact_id, token_hash, expires_at)
     select id, $1, ${HOURS[until]} from public.contact where email = $2`,
    [email],
  );
}

/** Asks a contact to decide about a client, and returns the link's token. */
export function askContact(
  server: TestServer,
  email: string,
  fingerprint: string,
  until: keyof typeof HOURS = 'open',
): Promise<string> {
  return insertLink(
    server,
    `insert into public.client_approval (client_id, contact_id, token_hash, expires_at)
     select client.id, contact.id, $1, ${HOURS[until]} from public.client, public.contact
     where email = $2 and fingerprint = $3`,
    [email, fingerprint],
  );
}

/** One row of the database, as JSON has it. */
export async function rowOf(server: TestServer, sql: string, values: string[] = []): Promise<unknown> {
  const { rows } = await onDatabase(server, (database) =>
    database.query<{ row: unknown }>(`select to_json(x) as row from (${sql}) as x`, values),
  );
  return rows[0]?.row;
}
