import { setTimeout as sleep } from 'node:timers/promises';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import { checkInterruption, interruption } from '../core/interrupt.ts';
import { isOfState, type Refusal } from './answers.ts';
import type { Attempt, Peer } from './http.ts';
import { type Course, outcomeOf, unknownHint } from './outcome.ts';
import { inOrder, type Peers, speaksForAll } from './peers.ts';
import { type Order, race, type Tried } from './race.ts';

const FIRST_DELAY = 100;
const LONGEST_DELAY = 5000;
/** A server that has not answered for so long is not waited for alone; milliseconds. A write is sent to another one later than a read. */
const PATIENCE = { read: 2000, write: 3000 };

/** What bounds a call, and what it writes, where it writes. */
export interface Bounds {
  /** Milliseconds for all of it. */
  timeout: number;
  course?: Course | undefined;
}

/** What a call got, from which server, and which servers did not give it, with the reason. */
export interface Got<T> {
  value: T;
  peer: Peer;
  passed: Map<Peer, string>;
}

/** What an error says, with the server that it is about. */
function wordsOf({ url }: Peer, { message }: Error): string {
  return message.includes(url) ? message : `${url}: ${message}`;
}

/** Whether another try may end otherwise. A passive server that is the only one that is known is not waited for. */
function mayChange({ all }: Peers, error: Refusal): boolean {
  if (all.length === 1 && error.reason === 'read_only') return false;
  return error.code === 'unreachable' || isOfState(error) || error.httpStatus !== undefined;
}

/** Tries it at one server. What the server refuses is the last word only where it is the one that knows. */
async function tryAt<T>(
  peers: Peers,
  attempt: Attempt,
  work: (attempt: Attempt) => Promise<T>,
): Promise<Tried<T>> {
  const { peer } = attempt;
  try {
    const value = await work(attempt);
    peers.silentSince.delete(peer);
    return { peer, value };
  } catch (thrown) {
    if (!(thrown instanceof KeyTrusteeError)) return { peer, error: thrown, isFinal: true };
    const error: Refusal = thrown;
    if (error.code === 'unreachable' || error.reason === 'fenced')
      peers.silentSince.set(peer, performance.now());
    const isAnswer = error.code !== 'unreachable' && !isOfState(error) && error.httpStatus !== undefined;
    return { peer, error, isFinal: isAnswer && (await speaksForAll(peers, attempt)) };
  }
}

/** The status of the error that all servers together are. */
function codeOf(errors: Refusal[], course: Course | undefined) {
  if (course !== undefined && outcomeOf(course) === 'unknown') return 'unreachable';
  if (errors.some(({ reason }) => reason === 'passive_away')) return 'state';
  return errors.find(({ code }) => code === 'unreachable')?.code ?? errors[0]?.code ?? 'unreachable';
}

/** The error of a call that no server did. */
function giveUp(peers: Peers, failures: Map<Peer, Refusal>, course: Course | undefined): KeyTrusteeError {
  const { all } = peers;
  const told = all.flatMap((peer) => {
    const error = failures.get(peer);
    return error === undefined
      ? []
      : [{ error, words: all.length > 1 ? wordsOf(peer, error) : error.message }];
  });
  const errors = told.map(({ error }) => error);
  const [only] = errors;
  if (errors.length === 1 && only !== undefined && !isOfState(only) && !mayChange(peers, only)) return only;
  const code = codeOf(errors, course);
  const main =
    errors.find((error) => error.reason === 'passive_away') ?? errors.find((error) => error.code === code);
  const hint = main?.hint ?? errors[0]?.hint;
  const message = told.map(({ words }) => words).join('; ');
  if (course === undefined) return failure(code, message, hint, main);
  if (outcomeOf(course) === 'unknown') return failure(code, message, unknownHint(course), main);
  return failure(
    code,
    message,
    hint === undefined ? 'nothing was written' : `nothing was written; ${hint}`,
    main,
  );
}

/** That the time was over at the last try says less of a server than why it did not do it before. */
function noteFailures(known: Map<Peer, Refusal>, failures: Map<Peer, Refusal>): void {
  for (const [peer, error] of failures)
    if (error.isOutOfTime !== true || !known.has(peer)) known.set(peer, error);
}

/** The least time that a round is begun with, as the one before took: cut off in the middle, it would leave a doubt. */
function leastTime(begun: number): number {
  return Math.min(1000, 2 * (performance.now() - begun));
}

/** Until when each server wants to be left alone. One may change its state at any time, whatever it wants. */
type Rests = Map<Peer, number>;

const restOf = (rests: Rests, peer: Peer): number => rests.get(peer) ?? 0;

function noteRests(rests: Rests, failures: Map<Peer, Refusal>): void {
  for (const [peer, error] of failures)
    rests.set(peer, isOfState(error) ? 0 : performance.now() + (error.retryAfter ?? 0));
}

/** Those that may be asked now, or first; and those that want to be left alone for longer, in case the others say nothing. */
function askable(order: Peer[], rests: Rests): Order {
  const now = Math.max(performance.now(), Math.min(...order.map((peer) => restOf(rests, peer))));
  const isResting = (peer: Peer) => restOf(rests, peer) > now;
  return { order: order.filter((peer) => !isResting(peer)), reserve: order.filter(isResting) };
}

/**
 * How long to wait before the next round. A read goes on with a server that may be asked: while the other one recovers it may
 * have what it did not have before; and with the other one as soon as that may be asked, too. A write waits for all of them.
 */
function delayOf(round: number, isRead: boolean, { all }: Peers, rests: Rests): number {
  const grown = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(round, 10)) * (0.5 + Math.random() / 2);
  const left = all.map((peer) => restOf(rests, peer) - performance.now());
  const resting = left.filter((time) => time > 0);
  if (isRead && resting.length < left.length) return Math.min(grown, ...resting);
  return Math.max(grown, isRead ? Math.min(...left) : Math.max(...left));
}

/**
 * Does a request until a server takes it, with growing delays and jitter, at every server in turn. What it does must be
 * the same however often, and at however many servers, it is done.
 */
export async function persist<T>(
  peers: Peers,
  { timeout, course }: Bounds,
  work: (attempt: Attempt) => Promise<T>,
): Promise<Got<T>> {
  const end = performance.now() + timeout;
  const patience = course === undefined ? PATIENCE.read : PATIENCE.write;
  const passed = new Map<Peer, string>();
  const passedOver = (peer: Peer) => {
    peers.silentSince.set(peer, performance.now());
    passed.set(peer, `${peer.url} does not answer (nothing in ${patience / 1000} seconds)`);
  };
  const known = new Map<Peer, Refusal>();
  const rests: Rests = new Map();
  for (let round = 0; ; round += 1) {
    const begun = performance.now();
    const ran = await race(askable(inOrder(peers), rests), { patience, passedOver }, (peer, signal) =>
      tryAt(peers, { peer, end, round, signal }, work),
    );
    const failures = ran.failures as Map<Peer, Refusal>;
    noteFailures(known, failures);
    noteRests(rests, failures);
    for (const [peer, error] of known) passed.set(peer, wordsOf(peer, error));
    if (ran.won !== undefined) return { ...ran.won, passed };
    const delay = delayOf(round, course === undefined, peers, rests);
    if (
      performance.now() + delay + leastTime(begun) >= end ||
      ![...known.values()].some((error) => mayChange(peers, error))
    )
      throw giveUp(peers, known, course);
    await sleep(delay, undefined, { signal: interruption }).catch(checkInterruption);
  }
}
