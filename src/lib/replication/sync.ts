import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { alone, type Node, requireNode, writeNode } from '../database/replication/node.ts';
import { readPair, writePair } from '../database/replication/pair.ts';
import { REPLICATION_DATABASE } from '../database/replication/place.ts';
import { writeReplicationSettings } from '../database/replication/settings.ts';
import { forgetLost } from '../database/replication/slots.ts';
import { followerOf } from './follower.ts';
import { refusePromoted } from './refuse-promoted.ts';
import type { PairSite } from './site.ts';

/** How long the passive may take to be synchronous; milliseconds. It streams already. */
const LIMIT = 20_000;
const POLL = 50;

/** Whether changes wait for the passive from now on. */
export interface SyncState {
  sync: boolean;
  changed: boolean;
  /** The passive server that is waited for; null where none is. */
  passive: string | null;
}

/** Refuses where this server is not the active one, on which `command` is to be run. */
export async function refuseNotActive(database: Database, node: Node, command: string): Promise<void> {
  const { role, peer } = node;
  const { rows } = await database.query<{ passive: boolean }>('select pg_is_in_recovery() as passive');
  if (rows[0]?.passive === true) {
    const next = peer === null ? 'ktadmin ha status' : `on ${peer.host}: ${command}`;
    throw failure('state', 'this is the passive server', next);
  }
  if (role === 'fenced') throw failure('state', 'the pair went on without this server', 'ktadmin ha rejoin');
}

/** Has PostgreSQL read its settings again. */
async function reloadDatabase(database: Database): Promise<void> {
  await database.query('select pg_reload_conf()');
}

async function untilSynchronous(database: Database, id: string): Promise<boolean> {
  for (const end = performance.now() + LIMIT; performance.now() < end; ) {
    checkInterruption();
    const { rows } = await database.query(
      `select from pg_stat_replication where application_name = $1 and state = 'streaming' and sync_state = 'sync'`,
      [id],
    );
    if (rows.length > 0) return true;
    await delay(POLL);
  }
  return false;
}

async function turnOn(site: PairSite, database: Database, node: Node): Promise<SyncState> {
  const { cluster, policy } = site;
  const passive = await followerOf(site, database, node);
  const before = await readPair(database);
  const epoch = Math.max(before?.epoch ?? 1, node.epoch, 1);
  const active: Node = { ...node, role: 'active', epoch, peer: { host: passive.host, port: passive.port } };
  await site.record({ sync: true, passive: passive.host });
  await writeNode(cluster, active);
  reached('node');
  const isChanged = await writeReplicationSettings(cluster, active, { synchronous: passive.id });
  await reloadDatabase(database);
  reached('settings');
  if (!(await untilSynchronous(database, passive.id))) {
    await writeNode(cluster, { ...active, ...alone(node) });
    await writeReplicationSettings(cluster, active, { synchronous: null });
    await reloadDatabase(database);
    throw failure(
      'unreachable',
      `${passive.host} did not become synchronous`,
      'ktadmin ha status tells more',
    );
  }
  await writePair(database, { epoch, active: node.id, sync: true, policy });
  // A change that waits: only now has the passive applied what it says.
  await database.query("select pg_logical_emit_message(true, 'keytrustee', '')");
  await writeNode(cluster, { ...active, aloneSince: null });
  await forgetLost(database, [node.id, passive.id]);
  return { sync: true, changed: isChanged || before?.sync !== true, passive: passive.host };
}

async function turnOff(site: PairSite, database: Database, node: Node): Promise<SyncState> {
  const before = await readPair(database);
  await site.record({ sync: false, passive: node.peer?.host ?? null });
  // What the passive learns of it it learns before anything happens here alone.
  const epoch = Math.max(before?.epoch ?? 1, node.epoch, 1);
  await writePair(database, { epoch, active: node.id, sync: false, policy: site.policy });
  reached('pair');
  const active: Node = { ...node, role: 'active', epoch, ...alone(node) };
  await writeNode(site.cluster, active);
  const isChanged = await writeReplicationSettings(site.cluster, active);
  await reloadDatabase(database);
  return { sync: false, changed: isChanged || before?.sync !== false, passive: null };
}

/** On the active server: whether changes count only once the passive has applied them. */
export async function setSync(site: PairSite, sync: boolean, isNotPromoted: boolean): Promise<SyncState> {
  const node = await requireNode(site.cluster);
  return withDatabase(
    site.cluster,
    async (database) => {
      await refuseNotActive(database, node, `ktadmin ha sync ${sync ? 'on' : 'off'}`);
      if (sync) return await turnOn(site, database, node);
      await refusePromoted(site, database, node, isNotPromoted);
      return await turnOff(site, database, node);
    },
    REPLICATION_DATABASE,
  );
}
