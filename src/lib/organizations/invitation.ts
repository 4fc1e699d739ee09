import { linkTokenHash } from '../core/link-token.ts';
import type { Trail } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { withWriting } from '../database/gate.ts';

/** A contact's invitation to register a public key, as the mailed link finds it. */
export interface Invitation {
  organization: string;
  email: string;
  /** The key that the contact has registered already, in ASCII armour; null: none yet. */
  publicKey: string | null;
  /** `open`: a key may be registered now. */
  state: 'open' | 'used' | 'expired';
  expires: Date;
  used: Date | null;
}

interface Row {
  contact_id: string;
  organization: string;
  email: string;
  public_key: string | null;
  expires_at: Date;
  used_at: Date | null;
  is_over: boolean;
}

async function find(database: Database, token: string, lock = ''): Promise<Row | undefined> {
  const { rows } = await database.query<Row>(
    `select contact.id as contact_id, organization.name as organization, contact.email, contact.public_key,
            invitation.expires_at, invitation.used_at, invitation.expires_at <= now() as is_over
     from public.contact_invitation as invitation
     join public.contact on contact.id = invitation.contact_id
     join public.organization on organization.id = contact.organization_id
     where invitation.token_hash = $1 ${lock}`,
    [linkTokenHash(token)],
  );
  return rows[0];
}

function toInvitation(row: Row): Invitation {
  const unused = row.is_over ? 'expired' : 'open';
  return {
    organization: row.organization,
    email: row.email,
    publicKey: row.public_key,
    state: row.used_at === null ? unused : 'used',
    expires: row.expires_at,
    used: row.used_at,
  };
}

/** Finds the invitation of a link; undefined where there is none. Changes nothing: scanners of mail follow links, too. */
export async function findInvitation(database: Database, token: string): Promise<Invitation | undefined> {
  const row = await find(database, token);
  return row && toInvitation(row);
}

/** A key that a contact wants mails encrypted to. */
export interface RegisteredKey {
  fingerprint: string;
  armored: string;
}

/**
 * Registers a contact's public key, in place of the one before, if the link is still open: returns the invitation as it
 * was found. The link, and every other one that this contact still has, cannot be used again.
 */
export async function registerContactKey(
  database: Database,
  trail: Trail,
  from: string,
  link: { token: string; key: RegisteredKey },
): Promise<Invitation | undefined> {
  return withWriting(database, async () => {
    const row = await find(database, link.token, 'for update of invitation, contact');
    if (row === undefined) return undefined;
    const invitation = toInvitation(row);
    if (invitation.state !== 'open') return invitation;
    const { armored, fingerprint } = link.key;
    await database.query('update public.contact set public_key = $2 where id = $1', [
      row.contact_id,
      armored,
    ]);
    await database.query(
      'update public.contact_invitation set used_at = now() where contact_id = $1 and used_at is null',
      [row.contact_id],
    );
    const { organization, email } = invitation;
    await trail.change({
      event: 'contact.key',
      who: `contact:${email}`,
      from,
      what: { organization, contact: email, fingerprint, replaced: invitation.publicKey !== null },
      outcome: 'done',
    });
    return invitation;
  });
}
