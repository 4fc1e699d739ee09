import { hostname } from 'node:os';
import { failure } from '../core/errors.ts';
import type { Cluster } from '../database/cluster.ts';
import type { Database } from '../database/connection.ts';
import type { Peer } from '../database/replication/node.ts';
import {
  type Pair,
  type PairNode,
  readFollowers,
  readNodes,
  readPair,
} from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import type { Self } from '../database/replication/self.ts';

/** What the other server of a pair is, as it says itself. */
export interface PeerFacts {
  isPassive: boolean;
  /** Its pair went on without it. */
  isFenced: boolean;
  systemIdentifier: string;
  timeline: number;
  major: number;
  pair: Pair | undefined;
  nodes: PairNode[];
  /** Those that follow it now. */
  followers: PairNode[];
}

const QUERY = `
  select pg_is_in_recovery() as passive,
    coalesce(current_setting('keytrustee.role', true), '') = 'fenced' as fenced,
    (select system_identifier::text from pg_control_system()) as system,
    (select timeline_id from pg_control_checkpoint()) as timeline,
    current_setting('server_version_num')::int / 10000 as major`;

interface Row {
  passive: boolean;
  fenced: boolean;
  system: string;
  timeline: number;
  major: number;
}

async function read(database: Database): Promise<PeerFacts> {
  const { rows } = await database.query<Row>(QUERY);
  const [row] = rows;
  if (row === undefined) throw failure('bug', 'the other database gave no row');
  return {
    ...{ isPassive: row.passive, isFenced: row.fenced },
    ...{ systemIdentifier: row.system, timeline: row.timeline, major: row.major },
    ...{ pair: await readPair(database), nodes: await readNodes(database) },
    followers: await readFollowers(database),
  };
}

/** Refuses a name of this server itself, which may not even run. */
export function refuseSelf({ host, port }: Peer, self: Self): void {
  const own = [self.host, hostname(), 'localhost'].map((name) => name.toLowerCase());
  if (port === self.port && own.includes(host.toLowerCase())) throw thisServer(host);
}

/** The error where the other server turns out to be this one. */
export function thisServer(host: string): Error {
  return failure('usage', `${host} is this server`, 'name the active server, and run it on the passive one');
}

/** Asks the other server what it is. */
export async function readPeerFacts(cluster: Cluster, peer: Peer): Promise<PeerFacts> {
  return withPeer(cluster, peer, read);
}

/** The node that a server which answers is: the active one of its pair, or the only one that it knows. */
export function activeNode({ pair, nodes }: PeerFacts, { host }: Peer): PairNode {
  const found = pair === undefined ? nodes[0] : nodes.find(({ id }) => id === pair.active);
  if (found !== undefined) return found;
  throw failure('state', `${host} does not say who it is`, `on ${host}: ktadmin db restart`);
}

/** Refuses a server that is not of this one's key, or not of its version. */
export function refuseStranger(other: PairNode, self: Self, { host }: Peer): void {
  if (other.fingerprint !== self.fingerprint) {
    throw failure(
      'conflict',
      `the OpenPGP keys differ: ${host} has ${other.fingerprint}, this server ${self.fingerprint}`,
      `copy the configuration directory of ${host} without .ssl, as ktadmin-ha(8) has it, and run ktadmin init again`,
    );
  }
  if (other.version !== self.version) {
    throw failure(
      'state',
      `the versions differ: ${host} has ${other.version}, this server ${self.version}`,
      'install the same version on both',
    );
  }
}

/** Refuses a server that another one follows already: a pair has two. */
export function refuseThird({ followers }: PeerFacts, id: string, self: Self, { host }: Peer): void {
  const other = followers.find(
    (each) => each.id !== id && (each.host !== self.host || each.port !== self.port),
  );
  if (other === undefined) return;
  throw failure(
    'conflict',
    `${host} has a passive server already: ${other.host}`,
    `where this one is to take its place, on ${other.host}: ktadmin db stop`,
  );
}
