import { setTimeout as sleep } from 'node:timers/promises';
import { KeyTrusteeError } from '../core/errors.ts';
import { checkInterruption, interruption } from '../core/interrupt.ts';
import type { Refusal } from './answers.ts';
import type { Peer } from './http.ts';

const FIRST_DELAY = 100;
const LONGEST_DELAY = 5000;
/** A server that did not answer is asked after the others for so long; milliseconds. */
const DISTRUST = 30_000;

/** One attempt: at which server, how many there were before, and how many milliseconds are left. */
export interface Attempt {
  peer: Peer;
  earlier: number;
  time: number;
}

/** The servers that may be asked, the active one first, and which of them did not answer lately. */
export interface Peers {
  all: Peer[];
  silentSince: Map<Peer, number>;
}

/** A passive server may not know yet what the active one knows: what it refuses is no answer. */
function mayGoOn(error: unknown, isActive: boolean): error is Refusal {
  if (!(error instanceof KeyTrusteeError)) return false;
  return error.code === 'unreachable' || (!isActive && error.code !== 'untrusted');
}

function inOrder({ all, silentSince }: Peers, isRead: boolean): Peer[] {
  const active = all.slice(0, 1);
  if (!isRead) return active;
  const isSilent = (peer: Peer) => Date.now() - (silentSince.get(peer) ?? -DISTRUST) < DISTRUST;
  return [...all.filter((peer) => !isSilent(peer)), ...all.filter(isSilent)];
}

function delayOf(round: number, retryAfter = 0): number {
  const grown = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(round, 10));
  return Math.max(retryAfter, grown * (0.5 + Math.random() / 2));
}

/**
 * Does a request until a server takes it, with growing delays and jitter: reads at every server, the rest at the active
 * one alone. What it does must be the same however often it is done.
 */
export async function persist<T>(
  peers: Peers,
  { isRead, timeout }: { isRead: boolean; timeout: number },
  work: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const end = Date.now() + timeout;
  const active = peers.all[0];
  for (let round = 0, earlier = 0; ; round += 1) {
    let failed: Refusal | undefined;
    for (const peer of inOrder(peers, isRead)) {
      try {
        const done = await work({ peer, earlier, time: end - Date.now() });
        peers.silentSince.delete(peer);
        return done;
      } catch (error) {
        if (!mayGoOn(error, peer === active)) throw error;
        if (error.code === 'unreachable') peers.silentSince.set(peer, Date.now());
        if (failed === undefined || peer === active) failed = error;
        earlier += 1;
      }
    }
    const delay = delayOf(round, failed?.retryAfter);
    if (Date.now() + delay >= end) throw failed;
    await sleep(delay, undefined, { signal: interruption }).catch(checkInterruption);
  }
}
