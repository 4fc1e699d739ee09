import { join as fileOf } from 'node:path';
import { KeyTrusteeError } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { clusterExists } from '../database/cluster.ts';
import { STANDBY_SIGNAL, takeBaseCopy } from '../database/replication/base-copy.ts';
import { readControlData } from '../database/replication/control-data.ts';
import { isFollowing, waitUntilFollowing } from '../database/replication/follow.ts';
import { type Node, type Peer, passiveNode, requireNode, writeNode } from '../database/replication/node.ts';
import { withPeer } from '../database/replication/peer.ts';
import { reloadSettings } from '../database/replication/reload.ts';
import { rewind, settleRewind } from '../database/replication/rewind.ts';
import { writeReplicationSettings } from '../database/replication/settings.ts';
import { dropOwnSlots } from '../database/replication/slots.ts';
import { whileRestarting } from '../database/restarting.ts';
import { startServer, stopServer } from '../database/server.ts';
import { announce, follow } from './join.ts';
import { type PeerFacts, readPeerFacts, refuseSelf } from './peer-facts.ts';
import { peerOf, refuseLoss, refuseRejoin } from './rejoin-checks.ts';
import type { PairSite } from './site.ts';

/** How long a server whose data seem to fit may take to follow; else they are rewound, or copied. Milliseconds. */
const FIT_LIMIT = 10_000;

/** What became of this server. */
export interface Rejoined {
  role: 'passive';
  id: string;
  active: string;
  epoch: number;
  /** `followed`: its data fitted; `rewound`: what only it had was taken back; `copied`: all data are the other server's. */
  how: 'followed' | 'rewound' | 'copied';
  /** Bytes of log that were taken back. */
  discarded: number;
  /** Where the former data directory lies; null where it is the one that is used. */
  former: string | null;
}

type Outcome = Pick<Rejoined, 'how' | 'discarded' | 'former'>;

/** From here on the server takes nothing more, whatever happens to this run. */
async function fence({ cluster }: PairSite, node: Node, peer: Peer): Promise<void> {
  if (node.role === 'passive') return;
  const fenced: Node = { ...node, role: 'fenced', peer };
  await writeNode(cluster, fenced);
  if (await writeReplicationSettings(cluster, fenced)) await reloadSettings(cluster, 'fenced');
}

/**
 * Has the other server bring all of its log to its disk. Rewound data may end in what it has not written there yet, which it
 * sends only then, and PostgreSQL takes no connection before; an idle server leaves it for minutes.
 */
async function flushPeer({ cluster }: PairSite, peer: Peer): Promise<void> {
  await withPeer(cluster, peer, async (database) => {
    await database.query('set synchronous_commit = local');
    await database.query("select pg_logical_emit_message(true, 'keytrustee', '')");
  });
}

/** Tries the data as they are: those of a passive server, or of an earlier run. */
async function followsAsItIs({ cluster, account }: PairSite, settle: () => Promise<void>): Promise<boolean> {
  if (!(await exists(fileOf(cluster.data, STANDBY_SIGNAL)))) return false;
  await stopServer(cluster, account);
  await settle();
  try {
    await startServer(cluster, account);
    await waitUntilFollowing(cluster, FIT_LIMIT);
    return true;
  } catch (error) {
    checkInterruption();
    if (error instanceof KeyTrusteeError) return false;
    throw error;
  }
}

/** Makes data of this server that follow the active one's. */
async function makeFit(site: PairSite, node: Node, peer: Peer, facts: PeerFacts): Promise<Outcome> {
  const { cluster, account, reporter } = site;
  const passive = passiveNode(node, facts.pair?.epoch ?? 0, peer);
  const settle = async () => {
    await writeNode(cluster, { ...passive, joining: peer });
    await writeReplicationSettings(cluster, passive);
    await flushPeer(site, peer);
  };
  if (await followsAsItIs(site, settle)) return { how: 'followed', discarded: 0, former: null };
  const canRewind =
    // What is rewound is gone; only what was acknowledged to nobody may be.
    node.aloneSince === null &&
    (await clusterExists(cluster)) &&
    (await readControlData(cluster)).timeline < facts.timeline;
  const discarded = canRewind
    ? await reporter.step('rewinding', () => rewind(cluster, account, peer, settle))
    : undefined;
  if (discarded !== undefined) return { how: 'rewound', discarded, former: null };
  const stopAndSettle = async () => {
    await stopServer(cluster, account);
    await settle();
  };
  const source = { peer, slot: node.id, major: facts.major };
  const { former } = await reporter.step(`copying the database of ${peer.host}`, () =>
    takeBaseCopy(cluster, account, source, stopAndSettle),
  );
  return { how: 'copied', discarded: 0, former };
}

/** Whether this server is what it is to be already. It may not have been told of the epoch yet. */
async function followsAlready(
  { cluster }: PairSite,
  node: Node,
  peer: Peer,
  epoch: number,
): Promise<boolean> {
  if (node.role !== 'passive' || node.peer?.host !== peer.host || node.peer.port !== peer.port) return false;
  if (!(await isFollowing(cluster)) || (await writeReplicationSettings(cluster, node))) return false;
  if (node.epoch !== epoch || node.aloneSince !== null || node.joining !== undefined)
    await writeNode(cluster, { ...passiveNode(node, epoch, peer), aloneSince: null });
  return true;
}

/**
 * Makes a server whose pair went on without it the passive one. Until its data are those of the other server it serves nothing;
 * the same command again goes on wherever an earlier one was cut off.
 */
export async function rejoin(
  site: PairSite,
  wished: Peer | undefined,
  acceptLoss: boolean,
): Promise<Rejoined> {
  const { cluster, account, reporter } = site;
  const node = await requireNode(cluster);
  const peer = peerOf(node, wished);
  refuseSelf(peer, site.self);
  const facts = await readPeerFacts(cluster, peer);
  await settleRewind(cluster);
  await refuseRejoin(site, node, peer, facts);
  const epoch = facts.pair?.epoch ?? 0;
  const done = { role: 'passive', id: node.id, active: peer.host, epoch } as const;
  if (await followsAlready(site, node, peer, epoch))
    return { ...done, how: 'followed', discarded: 0, former: null };
  await refuseLoss(site, node, peer, [acceptLoss, '--accept-data-loss']);
  await site.record({ active: peer.host, epoch, ...(acceptLoss ? { acceptLoss } : {}) });
  await fence(site, node, peer);
  await announce(site, node, peer);
  reached('rejoin-announced');
  const outcome = await whileRestarting(cluster, async () => {
    const made = await makeFit(site, node, peer, facts);
    await reporter.step('waiting until this server follows', () => follow(cluster, account));
    return made;
  });
  reached('rejoin-followed');
  await writeNode(cluster, { ...passiveNode(node, epoch, peer), aloneSince: null });
  await dropOwnSlots(cluster);
  await settleRewind(cluster);
  return { ...done, ...outcome };
}
