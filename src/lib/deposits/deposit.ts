import { failure } from '../core/errors.ts';
import { Refusal } from '../core/refusal.ts';
import type { Actor, AuditEvent, Trail } from '../core/trail.ts';
import type { DatabasePool } from '../database/pool.ts';
import type { Reader } from '../database/reader.ts';

/** The most that a deposit holds, bytes. */
export const MAX_CONTENT = 1024 * 1024;

/** What functions on deposits work with. */
export interface Vault {
  pool: DatabasePool;
  /** For what only reads, and is quick. */
  reader: Reader;
  trail: Trail;
}

/** Whose deposits, and who is to be named in the audit trail. */
export interface Owner {
  fingerprint: string;
  actor: Actor;
}

/** Which deposit of a client: by the server's name of it, or by the client's. */
export type Selector = { id: string } | { handle: string };

/** What is told of a deposit; never its content. Times are UTC. */
export interface Deposit {
  id: string;
  handle: string | null;
  size: number;
  /** 64 hex digits. */
  sha256: string;
  created: string;
  expires: string | null;
  retrievalsLeft: number | null;
}

/** A deposit's row, but for its content. */
export interface Row {
  uuid: string;
  handle: string | null;
  size: number;
  sha256: Buffer;
  created_at: Date;
  expires_at: Date | null;
  retrievals_left: number | null;
}

/** SQL: the columns of a `Row`. */
export const COLUMNS = `deposit.uuid, deposit.handle, octet_length(deposit.content) as size, deposit.sha256, deposit.created_at,
  deposit.expires_at, deposit.retrievals_left`;

/** SQL: a deposit's time has not come yet. */
export const UNEXPIRED = '(deposit.expires_at is null or deposit.expires_at > now())';

/** SQL: a deposit that can be fetched. */
export const PRESENT = `deposit.deleted_at is null and ${UNEXPIRED} and deposit.retrievals_left is distinct from 0`;

/** SQL: the client whose fingerprint is $1, with its organization. */
export const CLIENT = `public.client join public.organization on organization.id = client.organization_id and client.fingerprint = $1`;

/** What clients are told of a row. */
export function toDeposit(row: Row): Deposit {
  return {
    id: row.uuid,
    handle: row.handle,
    size: row.size,
    sha256: row.sha256.toString('hex'),
    created: row.created_at.toISOString(),
    expires: row.expires_at?.toISOString() ?? null,
    retrievalsLeft: row.retrievals_left,
  };
}

/** An event of the audit trail about a deposit. */
export function eventOf(owner: Owner, event: string, what: AuditEvent['what']): AuditEvent {
  return { event, ...owner.actor, what, outcome: 'done' };
}

/** A client's name for a deposit: 1 to 255 bytes of UTF-8 without control characters. */
export function checkHandle(handle: string): string {
  const size = Buffer.byteLength(handle);
  if (size < 1 || size > 255 || /[\p{Cc}\p{Cs}]/u.test(handle))
    throw new Refusal('invalid_request', 'a handle has 1 to 255 bytes of UTF-8 and no control characters');
  return handle;
}

/** Fails for a database that answers without a row where there is always one. */
export function must<T>(value: T | undefined): T {
  if (value === undefined) throw failure('bug', 'the database gave no row');
  return value;
}
