import { failure } from '../core/errors.ts';
import { reached } from '../core/steps.ts';
import { readControlData } from '../database/replication/control-data.ts';
import type { Peer } from '../database/replication/node.ts';
import { lookAtActive, type Sight } from './active-server.ts';
import { type FenceCommand, runFenceCommand } from './fence-command.ts';
import type { Known } from './known.ts';
import type { PairSite } from './site.ts';

/** What a promotion may rely on. */
export interface Wish {
  /** What stops the active server. */
  fence: FenceCommand | undefined;
  /** Somebody has stopped it, and says so. */
  isStopped: boolean;
  /** Somebody knows that the active server did not go on alone while this one was away, and says so. */
  isSyncOn: boolean;
  /** What only the active server has may be lost. */
  acceptLoss: boolean;
}

const SAY_SO = '--i-have-stopped-the-active, where it is off for certain; or --fence-command, which stops it';

/** Refuses where the active server may have acknowledged what is not here. */
function refuseLoss({ node, pair, hasFollowed }: Known, sight: Sight, wish: Wish): void {
  if (wish.acceptLoss) return;
  const hint = '--accept-data-loss goes on with what is here';
  // The active server's own word, where it can still give it, counts more than what this one heard last.
  const isInStep = sight.postgres === 'active' ? sight.isInStep : pair?.sync === true;
  if (pair?.sync !== true || !isInStep)
    throw failure(
      'state',
      'changes did not wait for this server: what the active one took last may not be here',
      `where the active one still runs: ktadmin ha sync on; ${hint}`,
    );
  if (pair.policy !== 'both' && sight.postgres !== 'active')
    throw failure(
      'state',
      `HA_WRITE_POLICY ${pair.policy} may have let the active server go on alone: what it took then is not here`,
      hint,
    );
  if (!hasFollowed && !wish.isSyncOn && sight.postgres !== 'active')
    throw failure(
      'state',
      `this server has not followed ${node.peer?.host ?? 'another one'} since its PostgreSQL was started: whether that went on alone, by ktadmin ha sync off, or with another server, is not known here`,
      `--sync-was-on, where it did not; else ${hint}`,
    );
}

const name = ({ host, port }: Peer) => `${host} (port ${port})`;

/** Refuses while the active server may go on: two active ones would each take what the other never sees. */
function refuseRunning(peer: Peer, sight: Sight, { isStopped }: Wish): void {
  if (sight.postgres === 'active')
    throw failure(
      'state',
      `the active server answers: PostgreSQL of ${name(peer)}`,
      isStopped
        ? `it is not stopped; on ${peer.host}: ktadmin db stop`
        : '--fence-command stops it; or do it yourself, and say so by --i-have-stopped-the-active',
    );
  if (isStopped) return;
  if (sight.postgres === 'answers')
    throw failure('state', `something answers for the active server at ${name(peer)}`, SAY_SO);
  if (sight.https === 'answers')
    throw failure('state', `the active server answers over HTTPS at ${peer.host}`, SAY_SO);
  if (sight.postgres === 'silent' || sight.https === 'silent')
    throw failure(
      'state',
      `${peer.host} does not answer, and nobody knows whether it has stopped or only the link is cut`,
      SAY_SO,
    );
}

/**
 * Has the active server stopped, or makes sure that it is: nothing that it acknowledges is missing here. Whether it said itself
 * that nothing is.
 */
export async function giveUpActive(site: PairSite, wish: Wish, known: Known): Promise<boolean> {
  const { node, other } = known;
  const { cluster, account, reporter } = site;
  const { peer } = node;
  if (peer === null) return false;
  const own = { id: node.id, systemIdentifier: (await readControlData(cluster)).systemIdentifier };
  const look = () => lookAtActive(cluster, peer, other?.httpsPort, own);
  const sight = await reporter.step(`asking ${peer.host}`, look);
  const { fence } = wish;
  if (fence === undefined) refuseRunning(peer, sight, wish);
  refuseLoss(known, sight, wish);
  const how = fence !== undefined ? 'command' : wish.isStopped ? 'stated' : 'refused';
  await site.record({ from: peer.host, stopped: how, acceptLoss: wish.acceptLoss });
  reached('promote-recorded');
  const isConfirmed = sight.postgres === 'active' && sight.isInStep;
  if (fence === undefined) return isConfirmed;
  await reporter.step(`stopping ${peer.host}`, () => runFenceCommand(fence, account));
  if (sight.postgres === 'refused' || sight.postgres === 'silent') return isConfirmed;
  const { postgres } = await look();
  if (postgres !== 'active' && postgres !== 'answers') return isConfirmed;
  throw failure(
    'state',
    `the fence command ended well, but PostgreSQL of ${name(peer)} still answers`,
    'nothing was promoted: the command must stop the active server',
  );
}
