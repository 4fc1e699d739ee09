import type { Database } from '../database/connection.ts';
import { checkFence } from '../database/replication/fence.ts';
import type { Node } from '../database/replication/node.ts';
import { readPair, writePair } from '../database/replication/pair.ts';
import type { PairNotice } from '../mail/queue.ts';
import { type Look, look, type Sender } from './look.ts';
import { keptText, type Memory, readMemory, writeMemory } from './memory.ts';
import { isInStep } from './parts.ts';
import { degradesAfter } from './policy.ts';
import { type Follower, perform } from './watch-acts.ts';
import { decide, type Situation } from './watch-decide.ts';
import { endAlone } from './watch-terms.ts';
import type { Watching } from './watching.ts';

/** A passive that lacks no more of the log is waited for again; bytes. */
const NEARLY = 1024 * 1024;

/** Looks between two questions to the other server whether it has become the active one. */
const FENCE_EVERY = 2;

/** Watches the passive server of an active one. */
export interface ActiveWatch {
  tick(seen: Look, node: Node): Promise<void>;
}

/** A position of the log as a number that can be compared. */
function positionOf(text: string | null | undefined): bigint {
  const [high = '0', low = '0'] = (text ?? '0/0').split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

function followerOf({ synchronous, degraded, senders }: Look, node: Node) {
  const id = synchronous ?? degraded?.split(' ')[0] ?? senders[0]?.id;
  const sender = senders.find((each) => each.id === id);
  return { id, sender, host: node.peer?.host ?? id ?? 'the passive' };
}

function situationOf(seen: Look, sender: Sender | undefined, barrier: bigint, policy: string): Situation {
  const [, since, run] = seen.degraded?.split(' ') ?? [];
  const isOfThisRun = run === seen.started.toISOString();
  const isStreaming = sender?.state === 'streaming';
  return {
    started: seen.started,
    isSynchronous: seen.synchronous !== null,
    degraded: since === undefined ? 'no' : isOfThisRun ? 'now' : 'before',
    isStreaming,
    isInStep: isInStep(sender),
    knowsPolicy: positionOf(sender?.replayed) >= barrier,
    isCaughtUp: isStreaming && (sender.replayBytes ?? Number.POSITIVE_INFINITY) <= NEARLY,
    degradesAfter: degradesAfter(policy),
  };
}

/** Since when the passive is, or was, away. */
function sinceWhen({ degraded }: Look, next: Memory, before: Memory): string {
  return next.away ?? before.away ?? degraded?.split(' ')[1] ?? new Date().toISOString();
}

/** Asks the other server whether the pair went on with it; this one is fenced then. */
async function isFenced({ cluster, record, log }: Watching): Promise<boolean> {
  const fenced = await checkFence(cluster, ({ peer, epoch, timeline }) =>
    record('ha.fenced', { active: peer.host, epoch, timeline }),
  );
  if (fenced?.isNew === true)
    log.error(
      { active: fenced.peer?.host, epoch: fenced.epoch },
      'this server is fenced: its pair went on without it; ktadmin ha rejoin makes it the passive one',
    );
  return fenced !== undefined;
}

/** Begins to watch. What is remembered over a restart of the server is read again. */
export async function startActiveWatch(watching: Watching, database: Database): Promise<ActiveWatch> {
  const { cluster } = watching;
  let memory = await readMemory(cluster);
  let barrier = positionOf((await look(database)).position);
  let ticks = 0;
  /** Up to where the log held changes that counted here alone, when the passive was seen in step again. */
  let ownEnd: bigint | undefined;
  const untold: PairNotice[] = [];
  const collecting = { ...watching, tell: async (notice: PairNotice) => void untold.push(notice) };

  async function remember(next: Memory): Promise<void> {
    if (keptText(next) !== keptText(memory)) await writeMemory(cluster, next);
    memory = next;
  }

  /** Has the pair know of the policy, before it is acted on: a promotion asks for it. */
  async function keepPolicy(node: Node): Promise<void> {
    const pair = await readPair(database);
    const policy = watching.policy();
    if (pair === undefined || pair.active !== node.id || pair.policy === policy) return;
    await remember({ ...memory, seen: null });
    await writePair(database, { ...pair, policy });
    barrier = positionOf((await look(database)).position);
  }

  /** Waits over as many looks as the passive needs to apply what counted here alone before it was waited for. */
  async function settleAlone(seen: Look, sender: Sender | undefined, node: Node): Promise<void> {
    if (node.aloneSince === null || seen.synchronous === null || !isInStep(sender)) {
      ownEnd = undefined;
      return;
    }
    const end = ownEnd;
    ownEnd ??= positionOf(seen.position);
    if (end !== undefined && positionOf(sender?.replayed) >= end) await endAlone(watching, database);
  }

  /** What cannot be queued now is queued later. */
  async function tellAll(): Promise<void> {
    for (let [notice] = untold; notice !== undefined; [notice] = untold) {
      await watching.tell(notice);
      untold.shift();
    }
  }

  return {
    async tick(seen, node) {
      await keepPolicy(node);
      const { id, sender, host } = followerOf(seen, node);
      const situation = situationOf(seen, sender, barrier, watching.policy());
      const { memory: next, acts } = decide(situation, memory, {
        date: new Date(),
        ticks: performance.now(),
      });
      if (sender === undefined && (ticks++ % FENCE_EVERY === 0 || acts.includes('degrade')))
        if (await isFenced(watching)) return;
      const follower: Follower = { id: id ?? '', host, since: sinceWhen(seen, next, memory) };
      for (const act of acts) await perform[act](collecting, database, follower);
      await remember(next);
      await settleAlone(seen, sender, node);
      await tellAll();
    },
  };
}
