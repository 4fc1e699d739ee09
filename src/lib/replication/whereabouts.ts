import type { Node } from '../database/replication/node.ts';
import type { Pair, PairNode } from '../database/replication/pair.ts';
import type { Look } from './look.ts';

/** Where the other server's PostgreSQL is, and what the pair knows of it; undefined where it has not enrolled itself here. */
export interface Whereabouts {
  host: string;
  port: number;
  known: PairNode | undefined;
}

/** What a server says of its pair. */
interface Answer {
  look: Look | null;
  pair: Pair | undefined;
  /** In the order in which they came. */
  nodes: PairNode[];
}

/** The nodes that follow a server, or that its changes wait for, the surest first. */
function followersOf(look: Look | null): string[] {
  if (look === null || look.inRecovery) return [];
  const { senders, synchronous, degraded } = look;
  const streaming = senders.filter(({ state }) => state === 'streaming').map(({ id }) => id);
  const awaited = synchronous ?? degraded?.split(' ')[0];
  return [
    ...streaming.filter((id) => id === awaited),
    ...[...streaming, ...senders.map(({ id }) => id)],
    ...(awaited === undefined ? [] : [awaited]),
  ];
}

/**
 * Where the other server is: the one that follows or is waited for, else where this one was told that it is, else the one that came
 * last. A host that was lost and made anew is another node, and its old one may still be known.
 */
export function whereOther(node: Node | undefined, { look, pair, nodes }: Answer): Whereabouts | undefined {
  const others = nodes.filter(({ id }) => id !== node?.id).toReversed();
  const [follower] = followersOf(look)
    .map((found) => others.find(({ id }) => id === found))
    .filter((each) => each !== undefined);
  if (follower !== undefined) return { host: follower.host, port: follower.port, known: follower };
  const active = others.find(({ id }) => id === pair?.active);
  const peer = node?.peer ?? active ?? others[0];
  if (peer === undefined) return undefined;
  const known =
    others.find(({ host, port }) => host === peer.host && port === peer.port) ??
    (active?.port === peer.port ? active : undefined) ??
    others.find(({ port }) => port === peer.port) ??
    others[0];
  return { host: peer.host, port: peer.port, known };
}

/** Which of the nodes a server is that answers, as far as it says so. */
export function whoAnswers({ look, pair, nodes }: Answer): PairNode | undefined {
  if (look === null || look.role === 'fenced') return undefined;
  const own = look.inRecovery ? look.passiveId : pair?.active;
  return nodes.find(({ id }) => id === own);
}
