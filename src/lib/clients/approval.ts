import { linkTokenHash } from '../core/link-token.ts';
import type { Trail } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { withWriting } from '../database/gate.ts';
import type { ClientState } from './client.ts';

/** What a contact can decide about a client. */
export const DECISIONS = ['approved', 'denied'] as const;
export type Decision = (typeof DECISIONS)[number];

/** What a contact was asked, as the mailed link finds it. */
export interface Approval {
  /** `open`: it can be decided now; `stopped`: the organization is disabled or has expired. */
  state: 'open' | 'decided' | 'expired' | 'stopped';
  /** The contact who got the link. */
  email: string;
  expires: Date;
  client: { fingerprint: string; name: string; organization: string; state: ClientState; created: Date };
  /** Which contact decided last, and what; null: nobody did by a link. */
  decision: { email: string; decision: Decision; at: Date } | null;
}

interface Row {
  id: string;
  client_id: string;
  email: string;
  expires_at: Date;
  is_over: boolean;
  is_stopped: boolean;
  used_at: Date | null;
  fingerprint: string;
  name: string;
  organization: string;
  state: ClientState;
  created_at: Date;
  decided_by: string | null;
  decision: Decision;
  decided_at: Date;
}

const SELECT = `
  select approval.id, approval.client_id, contact.email, approval.expires_at, approval.expires_at <= now() as is_over,
         organization.state <> 0 or coalesce(organization.expires_at <= now(), false) as is_stopped,
         approval.used_at, client.fingerprint, client.name, organization.name as organization, client.state,
         client.created_at, last.email as decided_by, last.decision, last.used_at as decided_at
  from public.client_approval as approval
  join public.contact on contact.id = approval.contact_id
  join public.client on client.id = approval.client_id
  join public.organization on organization.id = client.organization_id
  left join lateral (
    select contact.email, decided.decision, decided.used_at
    from public.client_approval as decided join public.contact on contact.id = decided.contact_id
    where decided.client_id = client.id and decided.decision is not null
    order by decided.used_at desc, decided.id desc limit 1
  ) as last on true
  where approval.token_hash = $1`;

async function find(database: Database, token: string): Promise<Row | undefined> {
  return (await database.query<Row>(SELECT, [linkTokenHash(token)])).rows[0];
}

function toApproval(row: Row): Approval {
  const { fingerprint, name, organization, state } = row;
  const undecided = row.is_stopped ? 'stopped' : row.is_over ? 'expired' : 'open';
  return {
    state: state === 'pending' && row.used_at === null ? undecided : 'decided',
    email: row.email,
    expires: row.expires_at,
    client: { fingerprint, name, organization, state, created: row.created_at },
    decision:
      row.decided_by === null ? null : { email: row.decided_by, decision: row.decision, at: row.decided_at },
  };
}

/** Finds what a link asks; undefined where there is no such link. Changes nothing: scanners of mail follow links, too. */
export async function findApproval(database: Database, token: string): Promise<Approval | undefined> {
  const row = await find(database, token);
  return row && toApproval(row);
}

/** Holds client and link, so that of two contacts who press a button at once the second one sees what the first did. */
async function lock(database: Database, token: string): Promise<void> {
  await database.query(
    `select from public.client_approval as approval join public.client on client.id = approval.client_id
     where approval.token_hash = $1 for update of client, approval`,
    [linkTokenHash(token)],
  );
}

async function apply(database: Database, row: Row, decision: Decision): Promise<void> {
  const change =
    decision === 'approved' ? `'active', activated_at = now()` : `'disabled', disabled_at = now()`;
  await database.query(`update public.client set state = ${change} where id = $1`, [row.client_id]);
  await database.query('update public.client_approval set used_at = now(), decision = $2 where id = $1', [
    row.id,
    decision,
  ]);
}

/**
 * Approves or denies a client if the link is still open: returns what was found before. A client that is no longer
 * pending was decided by somebody else, and stays as it is.
 */
export async function decideApproval(
  database: Database,
  trail: Trail,
  from: string,
  link: { token: string; decision: Decision },
): Promise<Approval | undefined> {
  return withWriting(database, async () => {
    await lock(database, link.token);
    const row = await find(database, link.token);
    if (row === undefined) return undefined;
    const approval = toApproval(row);
    if (approval.state !== 'open') return approval;
    await apply(database, row, link.decision);
    const { fingerprint, name, organization } = approval.client;
    await trail.change({
      event: link.decision === 'approved' ? 'client.approve' : 'client.deny',
      who: `contact:${approval.email}`,
      from,
      what: { client: fingerprint, name, organization },
      outcome: 'done',
    });
    return approval;
  });
}
