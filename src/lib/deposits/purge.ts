import { isNoWriter } from '../core/refusal.ts';
import type { Actor } from '../core/trail.ts';
import { withPooledTransaction } from '../database/pool.ts';
import type { Vault } from './deposit.ts';

/** How many deposits went, and why. */
export interface Purged {
  expired: number;
  /** Deleted or used up, and past the time in which they could be recovered. */
  deleted: number;
}

/** Deposits of one transaction, and of one line of the audit trail, which names them. */
const BATCH = 100;
const HOUR = 3_600_000;

const PURGE = `
  with gone as (
    select id, expires_at is not null and expires_at <= now() as is_expired from public.deposit
    where expires_at <= now() or deleted_at <= now() - make_interval(days => $1::integer)
    limit ${BATCH} for update skip locked
  )
  delete from public.deposit using gone where deposit.id = gone.id returning uuid, is_expired`;

async function purgeBatch({ pool, trail }: Vault, actor: Actor, days: number): Promise<Purged> {
  return withPooledTransaction(
    pool,
    async (database) => {
      const { rows } = await database.query<{ uuid: string; is_expired: boolean }>(PURGE, [days]);
      const expired = rows.filter((row) => row.is_expired).length;
      const purged = { expired, deleted: rows.length - expired };
      const what = { ...purged, deposits: rows.map(({ uuid }) => uuid).join(' ') };
      if (rows.length > 0) await trail.change({ event: 'deposit.purge', ...actor, what, outcome: 'done' });
      return purged;
    },
    { isBackground: true },
  );
}

/** Removes for good what has expired, and what was deleted or used up more than `days` ago. */
export async function purgeDeposits(
  vault: Vault,
  actor: Actor,
  days: number,
  signal?: AbortSignal,
): Promise<Purged> {
  const all = { expired: 0, deleted: 0 };
  for (let count = BATCH; count >= BATCH && signal?.aborted !== true; ) {
    const { expired, deleted } = await purgeBatch(vault, actor, days);
    count = expired + deleted;
    all.expired += expired;
    all.deleted += deleted;
  }
  return all;
}

/**
 * Purges now and every hour until the function that is returned is called, which waits for what runs. For one process of a
 * server; a second one would do no harm. A passive server's database is read-only: its active one purges for both.
 */
export function keepPurging(
  vault: Vault,
  actor: Actor,
  days: () => number,
  failed: (error: unknown) => void,
): () => Promise<void> {
  const ending = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const purge = () => {
    running = running
      .then(() => purgeDeposits(vault, actor, days(), ending.signal))
      .catch((error: unknown) => {
        if (!isNoWriter(error)) failed(error);
      });
  };
  const timer = setInterval(purge, HOUR);
  timer.unref();
  purge();
  return async () => {
    clearInterval(timer);
    ending.abort();
    await running;
  };
}
