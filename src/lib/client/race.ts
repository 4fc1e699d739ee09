import { setTimeout as sleep } from 'node:timers/promises';
import type { Peer } from './http.ts';

/** How an attempt at one server ended. */
export type Tried<T> = { peer: Peer; value: T } | { peer: Peer; error: unknown; isFinal: boolean };

/** How all of them ended: one did it, or none; and those that failed. */
export interface Ran<T> {
  won?: { peer: Peer; value: T };
  failures: Map<Peer, unknown>;
}

/** In which order servers are tried, and which of them only where the others say nothing. */
export interface Order {
  order: Peer[];
  reserve: Peer[];
}

/**
 * Tries one server after the other, and where one takes longer than `patience`, the next as well, without giving the
 * first one up: it may be slow, and what it does may be done once only. The first that does it wins; the others are ended.
 */
export async function race<T>(
  { order, reserve }: Order,
  { patience, passedOver }: { patience: number; passedOver: (peer: Peer) => void },
  attempt: (peer: Peer, signal: AbortSignal) => Promise<Tried<T>>,
): Promise<Ran<T>> {
  const others = new AbortController();
  const running = new Map<Peer, Promise<Tried<T>>>();
  const failures = new Map<Peer, unknown>();
  const waiting = [...order];
  const spare = [...reserve];
  try {
    for (let last = waiting.shift(); ; ) {
      if (last !== undefined) running.set(last, attempt(last, others.signal));
      const isLast = waiting.length + spare.length === 0;
      const done = await firstOf([...running.values()], isLast ? undefined : patience);
      if (done === undefined) {
        if (last !== undefined) passedOver(last);
        last = waiting.shift() ?? spare.shift();
        continue;
      }
      if ('value' in done) return { won: done, failures };
      if (done.isFinal) throw done.error;
      running.delete(done.peer);
      failures.set(done.peer, done.error);
      last = waiting.shift();
      if (last === undefined && running.size === 0) return { failures };
    }
  } finally {
    others.abort();
  }
}

/** The first that is there, or nothing where all take longer than so many milliseconds. */
async function firstOf<T>(all: Promise<T>[], patience: number | undefined): Promise<T | undefined> {
  if (patience === undefined) return Promise.race(all);
  const clock = new AbortController();
  const late = sleep(patience, undefined, { signal: clock.signal }).catch(() => undefined);
  try {
    return await Promise.race([...all, late]);
  } finally {
    clock.abort();
  }
}
