import { askReadiness } from './health.ts';
import { type Attempt, type Peer, peerAt, type Trust } from './http.ts';

/** A server that did not answer is asked after the others for so long; milliseconds. */
const DISTRUST = 30_000;

/** The servers of a client, and what is known of them. */
export interface Peers {
  /** As they were named: the active one of that time first. */
  all: Peer[];
  /** Those that did not answer, or serve nobody, and since when. */
  silentSince: Map<Peer, number>;
  /** The server that took this client's last write, where that is known. */
  writer: Peer | undefined;
}

/** The servers of a client. `writer` is the address of the one that took its last write. */
export function peersOf(
  { server, passive }: { server: string; passive: string | undefined },
  trust: Trust,
  writer?: string,
): Peers {
  const urls = passive === undefined || passive === server ? [server] : [server, passive];
  const all = urls.map((url) => peerAt(url, trust));
  return { all, silentSince: new Map(), writer: all.find(({ url }) => url === writer) };
}

/** Closes every connection. */
export function closePeers({ all }: Peers): void {
  for (const { agent } of all) agent.destroy();
}

/** In which order the servers are asked: the last writer first, and those that were silent lately after the others. */
export function inOrder({ all, silentSince, writer }: Peers): Peer[] {
  const isSilent = (peer: Peer) => performance.now() - (silentSince.get(peer) ?? -DISTRUST) < DISTRUST;
  const rank = (peer: Peer) => (isSilent(peer) ? 2 : 0) + (peer === (writer ?? all[0]) ? 0 : 1);
  return all.toSorted((one, other) => rank(one) - rank(other));
}

/**
 * Whether a refusal is the last word: "there is no such deposit" of a passive server may only mean that it is behind, and
 * an old active server knows nothing of what came after it. The server that took this client's last write has all of it.
 * Where that is not known, a server is believed that says that it is the active one; where it does not say, the first.
 */
export async function speaksForAll({ all, writer }: Peers, attempt: Attempt): Promise<boolean> {
  const { peer } = attempt;
  if (all.length === 1) return true;
  if (writer !== undefined) return peer === writer;
  const { role } = await askReadiness(attempt);
  return role === null ? peer === all[0] : role === 'active' || role === 'alone';
}
