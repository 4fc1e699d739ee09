import { errorCode } from '../core/errors.ts';
import { Refusal } from '../core/refusal.ts';
import type { Database } from '../database/connection.ts';
import { withPooledTransaction } from '../database/pool.ts';
import { checkStanding, STANDING, type Standing } from '../database/standing.ts';
import {
  CLIENT,
  COLUMNS,
  type Deposit,
  eventOf,
  type Owner,
  PRESENT,
  type Row,
  type Selector,
  toDeposit,
  UNEXPIRED,
  type Vault,
} from './deposit.ts';

type Changed = { standing: Standing } & { [Name in keyof Row]: Row[Name] | null };

/** A change of one deposit, which tells the client's standing also where there was nothing to change. */
const change = (set: string, which: string) => `
  with owner as (select client.id, ${STANDING} as standing from ${CLIENT}),
  changed as (
    update public.deposit set ${set} from owner
    where deposit.client_id = owner.id and standing is null and ${which}
    returning ${COLUMNS}
  )
  select standing, changed.* from owner left join changed on true`;

const DELETE = {
  uuid: change('deleted_at = now()', `deposit.uuid = $2 and ${PRESENT}`),
  handle: change('deleted_at = now()', `deposit.handle = $2 and ${PRESENT}`),
};

/** One that is there already stays as it is: whoever repeats the question gets the same answer. */
const RECOVER = change(
  'deleted_at = null',
  `deposit.uuid = $2 and ${UNEXPIRED} and deposit.retrievals_left is distinct from 0
   and (deposit.deleted_at is null or deposit.deleted_at > now() - make_interval(days => $3::integer))`,
);

interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

async function run(database: Database, statement: Statement): Promise<Row | undefined> {
  const { rows } = await database.query<Changed>(statement);
  const [row] = rows;
  checkStanding(row);
  return row.uuid === null ? undefined : (row as Row);
}

/** Deletes a deposit. It can be recovered for the time that the settings give. */
export async function deleteDeposit(vault: Vault, owner: Owner, selector: Selector): Promise<void> {
  const column = 'id' in selector ? 'uuid' : 'handle';
  // That there is none is told after the commit: who repeats a deletion learns from it that both servers have done it.
  const isGone = await withPooledTransaction(vault.pool, async (database) => {
    const row = await run(database, {
      name: `deposit-delete-${column}`,
      text: DELETE[column],
      values: [owner.fingerprint, 'id' in selector ? selector.id : selector.handle],
    });
    if (row === undefined) return false;
    const { uuid, handle } = row;
    await vault.trail.change(eventOf(owner, 'deposit.delete', { deposit: uuid, handle }));
    return true;
  });
  if (!isGone) throw new Refusal('not_found');
}

/** Takes a deletion back, until `days` after it. */
export async function recoverDeposit(vault: Vault, owner: Owner, id: string, days: number): Promise<Deposit> {
  try {
    return await withPooledTransaction(vault.pool, async (database) => {
      const values = [owner.fingerprint, id, days];
      const row = await run(database, { name: 'deposit-recover', text: RECOVER, values });
      if (row === undefined) throw new Refusal('not_found');
      await vault.trail.change(eventOf(owner, 'deposit.recover', { deposit: row.uuid, handle: row.handle }));
      return toDeposit(row);
    });
  } catch (error) {
    if (errorCode(error) === '23505') throw new Refusal('conflict', 'the handle is in use again');
    throw error;
  }
}
