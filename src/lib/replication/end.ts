import { failure } from '../core/errors.ts';
import { reached } from '../core/steps.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { alone, type Node, requireNode, writeNode } from '../database/replication/node.ts';
import { readFollowers, removePair } from '../database/replication/pair.ts';
import { REPLICATION_DATABASE } from '../database/replication/place.ts';
import { reloadSettings } from '../database/replication/reload.ts';
import { writeReplicationSettings } from '../database/replication/settings.ts';
import { forgetLost } from '../database/replication/slots.ts';
import { refusePromoted } from './refuse-promoted.ts';
import type { PairSite } from './site.ts';
import { refuseNotActive } from './sync.ts';

/** A pair that has ended. */
export interface Ended {
  /** The server that was given up; null where none was on record. */
  former: string | null;
}

async function refuseFollower(database: Database, node: Node): Promise<void> {
  const [follower] = (await readFollowers(database)).filter(({ id }) => id !== node.id);
  if (follower === undefined) return;
  throw failure(
    'state',
    `${follower.host} follows this server`,
    `on ${follower.host}: stop keytrusteed, and ktadmin db stop; what it served would be old from now on`,
  );
}

/**
 * On the active server: ends the pair. This server is alone from then on, and keeps nothing of its log for the other one, which
 * can join again. The same command again finishes what was cut off.
 */
export async function endPair(site: PairSite, isNotPromoted: boolean): Promise<Ended> {
  const { cluster } = site;
  const node = await requireNode(cluster);
  const end = async (database: Database) => {
    await refuseNotActive(database, node, 'ktadmin ha end');
    await refuseFollower(database, node);
    await refusePromoted(site, database, node, isNotPromoted);
    const former = node.peer?.host ?? null;
    await site.record({ passive: former });
    const own: Node = { ...node, ...alone(node), role: 'alone' };
    await writeNode(cluster, own);
    reached('node');
    await writeReplicationSettings(cluster, own);
    await reloadSettings(cluster, 'alone');
    reached('settings');
    await removePair(database);
    await forgetLost(database, [node.id]);
    await writeNode(cluster, { ...own, peer: null });
    return { former };
  };
  return withDatabase(cluster, end, REPLICATION_DATABASE);
}
