import { type Memory, NOTHING } from './memory.ts';

/** What is seen of the passive server at one look. */
export interface Situation {
  /** When PostgreSQL was started: in which run of it something was seen. */
  started: Date;
  /** Whether a change waits for the passive. */
  isSynchronous: boolean;
  /** Whether this server goes on without it; `before`: since before PostgreSQL was started. */
  degraded: 'no' | 'now' | 'before';
  /** Whether the passive receives the log as it is written. */
  isStreaming: boolean;
  /** Whether a change that waits for it counts now. */
  isInStep: boolean;
  /** Whether it knows of the policy of this server. */
  knowsPolicy: boolean;
  /** Whether it has nearly all. */
  isCaughtUp: boolean;
  /** HA_WRITE_POLICY; null: both. */
  degradesAfter: number | null;
}

/** When it is: for telling, and by `performance.now()`, by which it is counted how long something lasts. */
export interface Moment {
  date: Date;
  ticks: number;
}

/**
 * What there is to do: record that the passive is away or back, tell the administrators, go on without it, wait for it again
 * because it is back, or because that is demanded.
 */
export type Act = 'away' | 'back' | 'tell' | 'degrade' | 'restore' | 'demand';

/** A passive that is away for less is not worth a record; it connects again by itself. Milliseconds. */
const BRIEF = 2000;

/** The administrators are told of a passive that is away for longer; milliseconds. */
const LONG = 60_000;

function notice(situation: Situation, before: Memory, now: Moment): { memory: Memory; acts: Act[] } {
  const { isSynchronous, isStreaming, isInStep, knowsPolicy, started } = situation;
  const isHere = isSynchronous ? isInStep : isStreaming;
  const seen = isSynchronous && isInStep && knowsPolicy ? started.toISOString() : before.seen;
  if (isHere) {
    const memory = { ...NOTHING, seen };
    return { memory, acts: before.said ? ['back'] : [] };
  }
  const away = before.away ?? now.date.toISOString();
  const awayAt = before.awayAt ?? now.ticks;
  const isLasting = now.ticks - awayAt >= BRIEF;
  const memory = { ...before, seen, away, awayAt, said: before.said || isLasting };
  return { memory, acts: isLasting && !before.said ? ['away'] : [] };
}

/** Whether a server that goes on alone is to wait for the passive again. */
function end({ degraded, isCaughtUp, degradesAfter }: Situation): Act | undefined {
  if (isCaughtUp) return 'restore';
  // Somebody started PostgreSQL by other means than ours, or has set the policy back.
  return degraded === 'before' || degradesAfter === null ? 'demand' : undefined;
}

function isOver(
  { isSynchronous, started, degradesAfter }: Situation,
  { seen }: Memory,
  gone: number,
): boolean {
  if (!isSynchronous || degradesAfter === null) return false;
  // One that was not seen in step since PostgreSQL was started may have become the active one meanwhile.
  return seen === started.toISOString() && gone >= degradesAfter * 1000;
}

/** Decides what to do about a passive server, and what to remember. */
export function decide(situation: Situation, before: Memory, now: Moment): { memory: Memory; acts: Act[] } {
  const { memory, acts } = notice(situation, before, now);
  if (!situation.isSynchronous && situation.degraded !== 'no') {
    const act = end(situation);
    return { memory, acts: act === undefined ? acts : [...acts, act] };
  }
  if (memory.awayAt === null) return { memory, acts };
  const gone = now.ticks - memory.awayAt;
  if (isOver(situation, memory, gone))
    return { memory: { ...memory, told: true }, acts: [...acts, 'degrade'] };
  // Where sync is off, somebody has chosen to go on without it.
  if (!situation.isSynchronous || memory.told || gone < LONG) return { memory, acts };
  return { memory: { ...memory, told: true }, acts: [...acts, 'tell'] };
}
