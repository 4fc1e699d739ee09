import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../core/errors.ts';
import { withLock } from '../core/lock.ts';
import type { Database } from '../database/connection.ts';
import { alone, requireNode, writeNode } from '../database/replication/node.ts';
import { type ReplicationTerms, writeReplicationSettings } from '../database/replication/settings.ts';
import { type Look, look } from './look.ts';
import type { Watching } from './watching.ts';

/** How long PostgreSQL may take to read its settings; milliseconds. */
const LIMIT = 10_000;
const POLL = 20;

async function untilRead(database: Database, { synchronous }: ReplicationTerms): Promise<void> {
  for (const end = performance.now() + LIMIT; performance.now() < end; await delay(POLL))
    if ((await look(database)).synchronous === synchronous) return;
  throw failure('failed', 'PostgreSQL did not read its new settings', 'ktadmin db restart');
}

/**
 * Changes on which terms an active server takes changes, while no command does that, and where what is found then still asks
 * for it. `before` is done first. Whether it was changed.
 */
export async function changeTerms(
  { cluster, confdir }: Pick<Watching, 'cluster' | 'confdir'>,
  database: Database,
  isDue: (now: Look) => boolean,
  terms: ReplicationTerms,
  before: () => Promise<void>,
): Promise<boolean> {
  return withLock(confdir, 'ha', async () => {
    const node = await requireNode(cluster);
    const now = await look(database);
    if (node.role !== 'active' || now.inRecovery || now.role === 'fenced' || !isDue(now)) return false;
    await before();
    if (terms.synchronous === null) await writeNode(cluster, { ...node, ...alone(node) });
    await writeReplicationSettings(cluster, node, terms);
    await database.query('select pg_reload_conf()');
    await untilRead(database, terms);
    return true;
  });
}

/** Records that the passive server has all that counted on this one alone, while no command changes whether it is waited for. */
export async function endAlone(
  { cluster, confdir }: Pick<Watching, 'cluster' | 'confdir'>,
  database: Database,
): Promise<void> {
  await withLock(confdir, 'ha', async () => {
    const node = await requireNode(cluster);
    const now = await look(database);
    if (node.role === 'active' && !now.inRecovery && now.synchronous !== null)
      await writeNode(cluster, { ...node, aloneSince: null });
  });
}
