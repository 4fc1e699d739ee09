import { setTimeout as delay } from 'node:timers/promises';
import { explain } from '../core/errors.ts';
import { within } from '../core/within.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { readNode } from '../database/replication/node.ts';
import { REPLICATION_DATABASE } from '../database/replication/place.ts';
import { enrolSelf } from '../database/replication/self.ts';
import { look } from './look.ts';
import { type ActiveWatch, startActiveWatch } from './watch-active.ts';
import { type PassiveWatch, startPassiveWatch } from './watch-passive.ts';
import type { Watching } from './watching.ts';

/** Milliseconds between two looks. */
const PAUSE = 1000;

/** A stop waits no longer for a database that hangs; milliseconds. */
const STOP_LIMIT = 3000;

/** The node of a server that belongs to a pair. */
async function pairedNode({ cluster }: Watching) {
  const node = await readNode(cluster);
  return node?.role === 'active' || node?.role === 'passive' ? node : undefined;
}

const pause = (stop: AbortSignal) => delay(PAUSE, undefined, { signal: stop }).catch(() => undefined);

/** Watches by one connection, until it is lost, or this server belongs to no pair any more. */
async function session(watching: Watching, database: Database, stop: AbortSignal): Promise<void> {
  await database.query("set statement_timeout = '5s'; set synchronous_commit = local");
  let active: ActiveWatch | undefined;
  let passive: PassiveWatch | undefined;
  for (; !stop.aborted; await pause(stop)) {
    const node = await pairedNode(watching);
    if (node === undefined) return;
    const seen = await look(database);
    if (seen.role === 'fenced') return;
    if (seen.inRecovery) {
      passive ??= await startPassiveWatch(watching, database);
      await passive.tick(seen, node);
      continue;
    }
    if (active === undefined) {
      await enrolSelf(watching.cluster, watching.self());
      active = await startActiveWatch(watching, database);
    }
    await active.tick(seen, node);
  }
}

async function work(watching: Watching, stop: AbortSignal): Promise<void> {
  let said = '';
  for (; !stop.aborted; await pause(stop)) {
    try {
      if ((await pairedNode(watching)) === undefined) continue;
      const lend = (database: Database) => session(watching, database, stop);
      await withDatabase(watching.cluster, lend, REPLICATION_DATABASE, { cleanUp: true });
      said = '';
    } catch (error) {
      const { message, code } = explain(error);
      // A command of the pair is at work: it is looked again in a second.
      if (code === 'locked' || message === said) continue;
      watching.log.warn({ reason: message }, 'the pair cannot be watched now');
      said = message;
    }
  }
}

/**
 * Watches the pair that this server belongs to, once a second: records and tells what becomes of the other server, does what
 * HA_WRITE_POLICY says about it, and finds out that the pair went on without this server. A server that is alone costs the
 * reading of one small file.
 */
export function watchPair(watching: Watching): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const done = work(watching, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await within(done, STOP_LIMIT);
    },
  };
}
