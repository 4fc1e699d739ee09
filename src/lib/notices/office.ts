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
