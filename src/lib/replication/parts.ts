import type { Facts, Seen } from './facts.ts';
import type { Look, Sender, Slot } from './look.ts';

/** What a server is in its pair, as its PostgreSQL shows it; null where that does not answer. */
export type SeenRole = 'alone' | 'active' | 'passive' | 'fenced' | null;

/** A server whose PostgreSQL answers. */
export type Answering = Seen & { look: Look };

const answers = (seen: Seen | null): seen is Answering => seen !== null && seen.look !== null;

/** What a server is. One that takes writes is active, whatever its settings still say. */
export function roleOf({ look, pair, nodes }: Seen): SeenRole {
  if (look === null) return null;
  if (look.role === 'fenced') return 'fenced';
  if (look.inRecovery) return 'passive';
  const isPaired = pair !== undefined || nodes.length > 1 || (look.role ?? 'alone') !== 'alone';
  return isPaired ? 'active' : 'alone';
}

/** The epoch that a server knows of. */
export const epochOf = ({ pair }: Seen) => pair?.epoch ?? 0;

/** The servers of a pair by what they are. */
export interface Parts {
  actives: Answering[];
  passives: Answering[];
  /** The active server that counts. */
  active: Answering | undefined;
  /** The other one of the active server, which need not answer. */
  follower: Seen | undefined;
  /** How the active server sees it. */
  sender: Sender | undefined;
  slot: Slot | undefined;
}

/** Sorts the servers of a pair. Of two that are active the one of the later epoch counts. */
export function partsOf({ own, other }: Facts): Parts {
  const all = [own, other].filter(answers);
  const actives = all
    .filter((seen) => roleOf(seen) === 'active')
    .toSorted((one, two) => epochOf(two) - epochOf(one));
  const passives = all.filter((seen) => roleOf(seen) === 'passive');
  const [active] = actives;
  const follower =
    active === undefined ? undefined : ([own, other].find((seen) => seen !== active) ?? undefined);
  const isIts = (id: string) => follower?.id === null || id === follower?.id;
  const { senders = [], slots = [] } = active?.look ?? {};
  return {
    ...{ actives, passives, active, follower },
    sender: senders.find(({ id }) => isIts(id)),
    slot: slots.find(({ name }) => isIts(name)),
  };
}

/** Whether the passive has each change before it counts, as PostgreSQL sees it now. */
export const isInStep = (sender: Sender | undefined): boolean =>
  sender?.state === 'streaming' && ['sync', 'quorum'].includes(sender.sync);
