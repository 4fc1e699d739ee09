import { hash } from 'node:crypto';
import { randomToken } from '../core/random.ts';
import { Refusal } from '../core/refusal.ts';
import type { Room } from '../core/room.ts';
import type { Database } from '../database/connection.ts';
import { withPooledTransaction } from '../database/pool.ts';
import { checkStanding, STANDING, type Standing } from '../database/standing.ts';
import {
  CLIENT,
  COLUMNS,
  checkHandle,
  type Deposit,
  eventOf,
  MAX_CONTENT,
  must,
  type Owner,
  PRESENT,
  type Row,
  toDeposit,
  type Vault,
} from './deposit.ts';

/** What a client wants to be kept. */
export interface Wanted {
  /** Opaque: the client encrypted it. */
  content: Buffer;
  /** SHA-256 of the content, as the client computed it. */
  sha256: Buffer;
  /** Made by the client: a put that is repeated with it stores nothing a second time. */
  key: string;
  handle: string | null;
  /** Seconds until it goes by itself. */
  ttl: number | null;
  /** How often it can be fetched. */
  retrievals: number | null;
}

/** What was stored, and whether this put did it or an earlier one with the same key. */
export interface Stored {
  deposit: Deposit;
  isNew: boolean;
}

const INSERT = `
  with owner as (select client.id, ${STANDING} as standing from ${CLIENT}),
  made as (
    insert into public.deposit (client_id, uuid, put_key, handle, content, sha256, expires_at, retrievals_left)
    select id, $2::text, $3::text, $4::text, $5::bytea, $6::bytea, now() + make_interval(secs => $7::float8), $8::integer
    from owner where standing is null and $9::boolean
    on conflict do nothing
    returning ${COLUMNS}
  )
  select standing, made.* from owner left join made on true`;

/** SQL: the number of the client whose fingerprint is $1. */
const OWN = 'select id from public.client where fingerprint = $1';

/** Within the limits of a deposit, and what it says that it is. */
function check({ content, sha256, handle }: Wanted): void {
  if (handle !== null) checkHandle(handle);
  if (content.length === 0) throw new Refusal('invalid_request', 'a deposit has at least one byte');
  if (content.length > MAX_CONTENT) throw new Refusal('too_large');
  if (!hash('sha256', content, 'buffer').equals(sha256)) throw new Refusal('digest_mismatch');
}

/** Stores it, unless its key or its handle is there, or there is no room; whoever may not be served is refused in any case. */
async function insert(
  database: Database,
  { fingerprint }: Owner,
  wanted: Wanted,
  hasRoom = true,
): Promise<Row | undefined> {
  const { key, handle, content, sha256, ttl, retrievals } = wanted;
  const { rows } = await database.query<Row & { standing: Standing }>({
    name: 'deposit-put',
    text: INSERT,
    values: [fingerprint, randomToken(), key, handle, content, sha256, ttl, retrievals, hasRoom],
  });
  const [row] = rows;
  checkStanding(row);
  // The columns of a row that was not made are null.
  return (row.uuid as string | null) === null ? undefined : row;
}

/** What the key has stored before: the answer to a put that was repeated, because its answer was lost or it is slow. */
async function findByKey(
  database: Database,
  { fingerprint }: Owner,
  wanted: Wanted,
): Promise<Row | undefined> {
  const { rows } = await database.query<Row & { is_deleted: boolean; is_present: boolean }>({
    name: 'deposit-by-key',
    text: `select ${COLUMNS}, deleted_at is not null as is_deleted, (${PRESENT}) as is_present from public.deposit
      where client_id = (${OWN}) and put_key = $2`,
    values: [fingerprint, wanted.key],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  if (!row.sha256.equals(wanted.sha256) || row.handle !== wanted.handle)
    throw new Refusal('conflict', 'the key was used for another deposit');
  if (row.is_deleted) throw new Refusal('conflict', 'the deposit of this key was deleted');
  if (!row.is_present) throw new Refusal('conflict', 'the deposit of this key has expired');
  return row;
}

/** Frees a handle whose deposit has expired and only waits to be purged. */
async function freeHandle(
  database: Database,
  { fingerprint }: Owner,
  handle: string | null,
): Promise<boolean> {
  const { rowCount } = await database.query(
    `update public.deposit set deleted_at = now()
     where client_id = (${OWN}) and handle = $2 and deleted_at is null and (expires_at <= now() or retrievals_left = 0)`,
    [fingerprint, handle],
  );
  return rowCount === 1;
}

/** Stores a deposit, once for each key: it is on the disk, and in the audit trail, when this resolves. */
export async function putDeposit(
  vault: Vault & { room: Room },
  owner: Owner,
  wanted: Wanted,
): Promise<Stored> {
  check(wanted);
  const hasRoom = await vault.room.has(wanted.content.length);
  return withPooledTransaction(vault.pool, async (database) => {
    let made = await insert(database, owner, wanted, hasRoom);
    if (made === undefined) {
      const found = await findByKey(database, owner, wanted);
      const what = { deposit: found?.uuid ?? null, handle: wanted.handle, size: wanted.content.length };
      if (found !== undefined) {
        await vault.trail.note(eventOf(owner, 'deposit.put', { ...what, repeated: true }));
        return { deposit: toDeposit(found), isNew: false };
      }
      if (!hasRoom) throw new Refusal('no_room');
      if (await freeHandle(database, owner, wanted.handle)) made = await insert(database, owner, wanted);
      if (made === undefined) throw new Refusal('conflict', 'the handle is in use');
    }
    const { uuid, handle, size } = must(made);
    await vault.trail.change(eventOf(owner, 'deposit.put', { deposit: uuid, handle, size }));
    return { deposit: toDeposit(made), isNew: true };
  });
}
