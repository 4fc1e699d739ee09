import { join as fileOf } from 'node:path';
import type { Account } from '../core/account.ts';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import { exists, removeTree } from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { type Cluster, clusterExists } from '../database/cluster.ts';
import { STANDBY_SIGNAL, takeBaseCopy } from '../database/replication/base-copy.ts';
import { readControlData } from '../database/replication/control-data.ts';
import { ensureSlot, waitUntilFollowing } from '../database/replication/follow.ts';
import { type Node, type Peer, passiveNode, requireNode, writeNode } from '../database/replication/node.ts';
import { enrol } from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import type { Self } from '../database/replication/self.ts';
import { writeReplicationSettings } from '../database/replication/settings.ts';
import { whileRestarting } from '../database/restarting.ts';
import { startServer, stopServer } from '../database/server.ts';
import { countOwn } from './own-data.ts';
import {
  activeNode,
  type PeerFacts,
  readPeerFacts,
  refuseSelf,
  refuseStranger,
  refuseThird,
  thisServer,
} from './peer-facts.ts';
import { refuseLoss } from './rejoin-checks.ts';
import type { PairSite } from './site.ts';

/** How long a server that was just copied may take to follow; milliseconds. */
const FOLLOW_LIMIT = 120_000;

/** The same for one that has a copy from before; else it is copied again. */
const RESUME_LIMIT = 10_000;

/** What became of this server. */
export interface Joined {
  role: 'passive';
  id: string;
  active: string;
  timeline: number;
  /** Where the former data directory lies; null where it held nothing. */
  former: string | null;
}

interface Candidate {
  node: Node;
  peer: Peer;
  facts: PeerFacts;
  replace: boolean;
}

function refuseUnfit(self: Self, { node, peer, facts, replace }: Candidate): void {
  const { host } = peer;
  if (node.role === 'active' && !replace)
    throw failure(
      'state',
      'this server is the active one of its pair',
      `run it on the other; --replace-data makes this one the passive server of ${host} all the same`,
    );
  if (facts.isFenced)
    throw failure(
      'state',
      `the pair went on without ${host}: it serves nobody`,
      `on ${host}: ktadmin ha rejoin`,
    );
  if (facts.isPassive)
    throw failure(
      'state',
      `${host} is a passive server itself`,
      'name the active one; ktadmin ha status tells it',
    );
  refuseThird(facts, node.id, self, peer);
  const active = activeNode(facts, peer);
  if (active.id === node.id) throw thisServer(host);
  refuseStranger(active, self, peer);
}

/** Whether the data directory is a copy of the active server's already. A machine that was cloned has the same identifier. */
async function isReplica(cluster: Cluster, node: Node, facts: PeerFacts): Promise<boolean> {
  if (node.role === 'alone' || !(await clusterExists(cluster))) return false;
  return (await readControlData(cluster)).systemIdentifier === facts.systemIdentifier;
}

/** What is here and not on the active server is not given up unless somebody says so; whether there is something at all. */
async function hasOwnData(site: PairSite, node: Node, facts: PeerFacts, replace: boolean): Promise<boolean> {
  if (!(await clusterExists(site.cluster))) return false;
  if (await isReplica(site.cluster, node, facts)) return true;
  const count = await countOwn(site.cluster, site.account);
  if (count === 0 || replace) return count > 0;
  throw failure(
    'conflict',
    `this server has ${count} organization${count === 1 ? '' : 's'} of its own`,
    "is it the right host? --replace-data takes the active server's data instead, and keeps these beside it",
  );
}

/** Remembers that this server joins before its database is started for a look, and whether that holds something. */
async function begin(site: PairSite, { node, peer, facts, replace }: Candidate): Promise<boolean> {
  if (node.role === 'alone') await writeNode(site.cluster, { ...node, joining: peer });
  try {
    const keep = await hasOwnData(site, node, facts, replace);
    reached('begun');
    return keep;
  } catch (error) {
    // It is not to join: it stays what it was.
    if (error instanceof KeyTrusteeError) await writeNode(site.cluster, node);
    throw error;
  }
}

/** Goes on where an earlier join has come as far as the copy: also one that is done already. */
async function resumes(site: PairSite, node: Node, peer: Peer, facts: PeerFacts): Promise<boolean> {
  const { cluster, account } = site;
  const isSame = node.role === 'passive' && node.peer?.host === peer.host && node.peer.port === peer.port;
  if (!isSame || !(await isReplica(cluster, node, facts))) return false;
  if (!(await exists(fileOf(cluster.data, STANDBY_SIGNAL)))) return false;
  try {
    await announce(site, node, peer);
    await startServer(cluster, account);
    await waitUntilFollowing(cluster, RESUME_LIMIT);
    return true;
  } catch (error) {
    checkInterruption();
    if (error instanceof KeyTrusteeError) return false;
    throw error;
  }
}

/** Tells the active server of this one, and has it keep from now on what this one needs. */
export async function announce(site: PairSite, node: Node, peer: Peer): Promise<void> {
  await withPeer(site.cluster, peer, async (database) => {
    await enrol(database, { id: node.id, ...site.self });
    await ensureSlot(database, node.id);
  });
}

/** Makes a server that has a copy of the active one's data follow it, and waits until it does. */
export async function follow(cluster: Cluster, account: Account): Promise<void> {
  await startServer(cluster, account);
  await waitUntilFollowing(cluster, FOLLOW_LIMIT);
}

/**
 * Makes this server the passive one of a pair: takes a copy of the active server's database and follows it from then on. What
 * fails before the copy is in place leaves this server as it was; the same command again goes on.
 */
export async function join(site: PairSite, peer: Peer, replace: boolean): Promise<Joined> {
  const { cluster, account, reporter } = site;
  const node = await requireNode(cluster);
  refuseSelf(peer, site.self);
  const facts = await readPeerFacts(cluster, peer);
  refuseUnfit(site.self, { node, peer, facts, replace });
  const done = { role: 'passive', id: node.id, active: peer.host, timeline: facts.timeline } as const;
  if (await resumes(site, node, peer, facts)) {
    await writeNode(cluster, { ...passiveNode(node, node.epoch, peer), aloneSince: null });
    return { ...done, former: null };
  }
  await refuseLoss(site, node, peer, [replace, '--replace-data']);
  const keep = await begin(site, { node, peer, facts, replace });
  await site.record({ active: peer.host, epoch: facts.pair?.epoch ?? 0 });
  await announce(site, node, peer);
  const passive = passiveNode(node, facts.pair?.epoch ?? 0, peer);
  const settle = async () => {
    await stopServer(cluster, account);
    await writeNode(cluster, { ...passive, joining: peer });
    await writeReplicationSettings(cluster, passive);
  };
  const source = { peer, slot: node.id, major: facts.major };
  const { former } = await whileRestarting(cluster, async () => {
    const replaced = await reporter.step(`copying the database of ${peer.host}`, () =>
      takeBaseCopy(cluster, account, source, settle),
    );
    if (replaced.former !== null && !keep) await removeTree(replaced.former);
    reached('tidied');
    await reporter.step('waiting until this server follows', () => follow(cluster, account));
    return replaced;
  });
  await writeNode(cluster, { ...passive, aloneSince: null });
  return { ...done, former: keep ? former : null };
}
