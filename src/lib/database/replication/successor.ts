import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyTrusteeError } from '../../core/errors.ts';
import type { Cluster } from '../cluster.ts';
import type { Database } from '../connection.ts';
import { readControlData } from './control-data.ts';
import type { Node, Peer } from './node.ts';
import { readPair } from './pair.ts';
import { withPeer } from './peer.ts';

/** How long a server that starts waits for the other one's answer; milliseconds. */
const LIMIT = 2000;

/** The server with which a pair goes on. */
export interface Successor {
  peer: Peer;
  epoch: number;
  timeline: number;
}

/** The timeline is that of the log which is being written: the control file has it only after the next checkpoint. */
const QUERY = `
  select pg_is_in_recovery() as passive, (select system_identifier::text from pg_control_system()) as system,
    case when pg_is_in_recovery() then 0
         else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline`;

/** A server's own words on who it is. */
interface Said {
  passive: boolean;
  system: string;
  timeline: number;
  epoch: number;
}

async function ask(database: Database): Promise<Said | undefined> {
  const { rows } = await database.query<Omit<Said, 'epoch'>>(QUERY);
  const [row] = rows;
  if (row === undefined) return undefined;
  return { ...row, epoch: row.passive ? 0 : ((await readPair(database))?.epoch ?? 0) };
}

/** The last timeline that a data directory has log of. */
async function ownTimeline({ data }: Cluster): Promise<number> {
  const names = await readdir(join(data, 'pg_wal'));
  const timelines = names
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .map((name) => Number.parseInt(name.slice(0, 8), 16));
  return Math.max(0, ...timelines);
}

/**
 * Whether the other server has become the active one meanwhile: by a greater epoch, or by a later timeline of the same
 * database where its promotion was cut off. One that does not answer, or is another pair's, tells nothing.
 */
export async function findSuccessor(
  cluster: Cluster,
  node: Node,
  peer: Peer,
): Promise<Successor | undefined> {
  let said: Said | undefined;
  try {
    said = await withPeer(cluster, peer, ask, LIMIT);
  } catch (error) {
    if (error instanceof KeyTrusteeError || error instanceof Error) return undefined;
    throw error;
  }
  if (said === undefined || said.passive) return undefined;
  if (said.epoch <= node.epoch && said.timeline <= (await ownTimeline(cluster))) return undefined;
  if (said.system !== (await readControlData(cluster)).systemIdentifier) return undefined;
  return { peer, epoch: said.epoch, timeline: said.timeline };
}
