import { Refusal } from '../core/refusal.ts';
import { queryAnywhere } from '../database/anywhere.ts';
import { checkStanding, STANDING, type Standing } from '../database/standing.ts';
import {
  CLIENT,
  COLUMNS,
  type Deposit,
  eventOf,
  type Owner,
  type Row,
  toDeposit,
  UNEXPIRED,
  type Vault,
} from './deposit.ts';

/** Which part of a client's deposits is listed. */
export interface Part {
  limit: number;
  /** The last one of the part before. */
  after: string | null;
  /** Those that were deleted, instead of those that are there. */
  deleted: boolean;
}

/** A part of a client's deposits, oldest first; `next` is what comes `after` in the next question, or null at the end. */
export interface Listing {
  deposits: (Deposit & { deleted: string | null })[];
  next: string | null;
}

type Listed = Row & { deleted_at: Date | null };
type Found = { standing: Standing; is_known: boolean } & { [Name in keyof Listed]: Listed[Name] | null };

const select = (deleted: boolean) => `
  select ${STANDING} as standing, $2::text is null or last.id is not null as is_known, deposit.*
  from ${CLIENT}
  left join public.deposit as last on last.client_id = client.id and last.uuid = $2
  left join lateral (
    select ${COLUMNS}, deposit.deleted_at from public.deposit
    where deposit.client_id = client.id and deposit.id > coalesce(last.id, 0) and ${UNEXPIRED}
      and deposit.deleted_at is ${deleted ? 'not null' : 'null'}
    order by deposit.id limit $3
  ) as deposit on true`;

const SELECT = { present: select(false), deleted: select(true) };

/** Lists deposits of a client, without what they hold. */
export async function listDeposits(vault: Vault, owner: Owner, part: Part): Promise<Listing> {
  const which = part.deleted ? 'deleted' : 'present';
  const { rows } = await queryAnywhere<Found>(vault, {
    name: `deposit-list-${which}`,
    text: SELECT[which],
    // One more than is asked for, to know whether that was all.
    values: [owner.fingerprint, part.after, part.limit + 1],
  });
  const [first] = rows;
  checkStanding(first);
  if (!first.is_known) throw new Refusal('not_found', 'there is no deposit to go on after: begin again');
  const listed = (first.uuid === null ? [] : rows.slice(0, part.limit)) as Listed[];
  await vault.trail.note(eventOf(owner, 'deposit.list', { deposits: listed.length }));
  return {
    deposits: listed.map((row) => ({ ...toDeposit(row), deleted: row.deleted_at?.toISOString() ?? null })),
    next: rows.length > part.limit ? (listed.at(-1)?.uuid ?? null) : null,
  };
}
