import { failure } from '../core/errors.ts';
import { reached } from '../core/steps.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { ensureSlot } from '../database/replication/follow.ts';
import { alone, type Node, requireNode, writeNode } from '../database/replication/node.ts';
import { type PairNode, writePair } from '../database/replication/pair.ts';
import { REPLICATION_DATABASE } from '../database/replication/place.ts';
import { reloadSettings } from '../database/replication/reload.ts';
import { writeReplicationSettings } from '../database/replication/settings.ts';
import { cutOff, joinCommand } from '../database/replication/unjoined.ts';
import { giveUpActive, type Wish } from './give-up-active.ts';
import { type Known, know } from './known.ts';
import { untilReplayed } from './replay.ts';
import type { PairSite } from './site.ts';

/** How long PostgreSQL may take to end its recovery; seconds. */
const PROMOTION_LIMIT = 60;

/** What became of this server. */
export interface Promoted {
  role: 'active';
  id: string;
  epoch: number;
  timeline: number;
  /** The server that was active, by its host name. */
  former: string | null;
  /** Whether the active server said itself, to this run, that all it had acknowledged is here. */
  confirmed: boolean;
  sync: false;
}

function refuseUnfit({ role, peer }: Node): void {
  if (role === 'active') throw failure('state', 'this is the active server already', 'ktadmin ha status');
  if (role === 'fenced') {
    const host = peer?.host ?? 'the active server';
    throw failure(
      'state',
      'the pair went on without this server: what it has is old',
      `ktadmin ha rejoin makes it the passive server of ${host}; then it can be promoted`,
    );
  }
  if (role === 'alone' || peer === null)
    throw failure('state', 'this server is in no pair', 'ktadmin ha join makes it the passive one of a pair');
}

async function endRecovery(database: Database): Promise<void> {
  const { rows } = await database.query<{ done: boolean }>(
    `select pg_promote(true, ${PROMOTION_LIMIT}) as done`,
  );
  if (rows[0]?.done === true) return;
  throw failure(
    'failed',
    `PostgreSQL did not end its recovery within ${PROMOTION_LIMIT} s`,
    'ktadmin ha promote again; ktadmin ha status tells more',
  );
}

/** Keeps for the server that was active what it will need of the log, and lets it see at once where the two part. */
async function prepareReturn(database: Database, former: PairNode | undefined): Promise<void> {
  if (former !== undefined) await ensureSlot(database, former.id);
  await database.query('checkpoint');
}

/** Writes that this server is active. node.json is last: it says so only when everything does. */
async function settle({ cluster }: PairSite, database: Database, known: Known): Promise<number> {
  const { node, pair, other } = known;
  const isWritten = pair?.active === node.id;
  const epoch = isWritten ? pair.epoch : Math.max(pair?.epoch ?? 1, node.epoch) + 1;
  if (!isWritten)
    await writePair(database, { epoch, active: node.id, sync: false, policy: pair?.policy ?? 'both' });
  reached('promote-pair');
  const active: Node = { ...node, role: 'active', epoch };
  await writeReplicationSettings(cluster, active);
  await reloadSettings(cluster, 'active');
  reached('promote-settings');
  await prepareReturn(database, other);
  await writeNode(cluster, active);
  reached('promote-node');
  return epoch;
}

async function timelineOf(database: Database): Promise<number> {
  const { rows } = await database.query<{ timeline: number }>(
    "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline",
  );
  return rows[0]?.timeline ?? 0;
}

async function takeOver(site: PairSite, wish: Wish, database: Database, known: Known): Promise<boolean> {
  const isConfirmed = await giveUpActive(site, wish, known);
  reached('promote-fenced');
  await untilReplayed(database);
  reached('promote-replayed');
  await writeNode(site.cluster, known.node);
  await endRecovery(database);
  reached('promote-promoted');
  return isConfirmed;
}

/**
 * Makes this passive server the active one. Before PostgreSQL ends its recovery nothing has changed here; from then on this
 * server is the active one, and the same command again writes what is missing.
 */
export async function promote(site: PairSite, wish: Wish): Promise<Promoted> {
  const found = await requireNode(site.cluster);
  refuseUnfit(found);
  const node = { ...found, ...alone(found) };
  return withDatabase(
    site.cluster,
    async (database) => {
      const known = await know(database, node);
      const former = node.peer?.host ?? null;
      let confirmed = false;
      if (known.isPassive) confirmed = await takeOver(site, wish, database, known);
      else if (node.joining === undefined) await site.record({ from: former, finish: true });
      else throw failure('state', cutOff(node.joining), joinCommand(site.cluster, node.joining));
      const epoch = await settle(site, database, known);
      const timeline = await timelineOf(database);
      return { role: 'active', id: node.id, epoch, timeline, former, confirmed, sync: false };
    },
    REPLICATION_DATABASE,
  );
}
