import type { X509Certificate } from 'node:crypto';
import type { Settings } from '../core/configuration.ts';
import type { DatabasePool } from '../database/pool.ts';

/** What a mail is made from. */
export interface Office {
  pool: DatabasePool;
  settings: Settings;
  /** The certificates that clients are shown now, the server's own first. */
  chain: X509Certificate[];
  /** Breaks off what is just leaving. */
  stop: AbortSignal | undefined;
}

/** SQL: an organization that is stopped or over sends nothing any more. */
export const RUNNING =
  'organization.state = 0 and (organization.expires_at is null or organization.expires_at > now())';

/** SQL: each administrator's address once, however many organizations it administers; with a key where it has one. */
export const ADDRESSEES = `
  select distinct on (email) contact.id
  from public.contact join public.organization on organization.id = organization_id
  where ${RUNNING} order by email, public_key is null, contact.id`;
