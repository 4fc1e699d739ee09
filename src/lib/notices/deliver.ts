import type { Settings } from '../core/configuration.ts';
import type { MailJob } from '../mail/queue.ts';
import { deliverExpiryNotice } from './certificate.ts';
import { type Office, RUNNING } from './office.ts';
import { deliverPairNotice } from './pair.ts';
import { type Addressee, post, senderOf } from './post.ts';
import { issueApproval, issueInvitation } from './tokens.ts';
import { approvalWording, type ClientOfMail, invitationWording } from './wording.ts';

function linkTo({ configuration }: Settings, path: string): string {
  return `https://${configuration.EXTERNAL_ADDRESS}:${configuration.PORT}${path}`;
}

async function deliverInvitation({ pool, settings, stop }: Office, contactId: string): Promise<boolean> {
  const { rows } = await pool.query<Addressee & { organization: string }>(
    `select email, contact.public_key as "publicKey", organization.name as organization
     from public.contact join public.organization on organization.id = organization_id
     where contact.id = $1 and ${RUNNING}`,
    [contactId],
  );
  const [contact] = rows;
  if (contact === undefined) return false;
  const { token, expires } = await issueInvitation(pool, contactId);
  const link = linkTo(settings, `/?q=${token}`);
  const wording = invitationWording(senderOf(settings), contact.organization, link, expires);
  await post(settings, contact, wording, stop);
  return true;
}

type ApprovalJob = Extract<MailJob, { kind: 'approval' }>;

async function deliverApproval({ pool, settings, stop }: Office, job: ApprovalJob): Promise<boolean> {
  const { rows } = await pool.query<Addressee & ClientOfMail>(
    `select email, contact.public_key as "publicKey", organization.name as organization,
            client.name as name, client.fingerprint as fingerprint
     from public.client join public.organization on organization.id = client.organization_id
     join public.contact on contact.organization_id = organization.id
     where client.id = $1 and contact.id = $2 and client.state = 'pending' and ${RUNNING}`,
    [job.clientId, job.contactId],
  );
  const [found] = rows;
  if (found === undefined) return false;
  const { token, expires } = await issueApproval(pool, job.clientId, job.contactId);
  const links = {
    approve: linkTo(settings, `/approval?q=${token}&to=approve`),
    deny: linkTo(settings, `/approval?q=${token}&to=deny`),
  };
  const client = job.address === undefined ? found : { ...found, address: job.address };
  await post(settings, found, approvalWording(senderOf(settings), client, links, expires), stop);
  return true;
}

/**
 * Does one mail of the queue. False where there is nothing to send any more: the contact was removed, the organization was
 * stopped, the client was decided on, the certificate was exchanged.
 */
export async function deliver(office: Office, job: MailJob): Promise<boolean> {
  switch (job.kind) {
    case 'invitation':
      return deliverInvitation(office, job.contactId);
    case 'approval':
      return deliverApproval(office, job);
    case 'certificate':
      return deliverExpiryNotice(office, job.contactId);
    case 'pair':
      return deliverPairNotice(office, job.contactId, job.notice);
  }
}

/** Runs of letters and digits that could be a token: a mail server may quote the mail that it refuses. */
const TOKEN_LIKE = /[0-9A-Za-z]{24,}/g;
const LONGEST = 300;

/** What may be kept of an error: in the queue, in the log, on a screen. */
export function withoutTokens(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const clean = text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .replace(TOKEN_LIKE, '[…]')
    .trim();
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)}…` : clean;
}
