/** What the watcher of a pair does, and remembers, at each look. */
import { expect, onTestFinished, test } from 'vitest';
import { type Memory, NOTHING } from '../../../src/lib/replication/memory.ts';
import { decide, type Situation } from '../../../src/lib/replication/watch-decide.ts';

const started = new Date('2026-01-01T00:00:00.000Z');
const SEEN = started.toISOString();
const at = (seconds: number) => new Date(started.getTime() + seconds * 1000);
/** By how many seconds the clock of the host is wrong. */
let wrongBy = 0;
const moment = (seconds: number) => ({ date: at(seconds + wrongBy), ticks: seconds * 1000 });

const HERE: Situation = {
  ...{ started, isSynchronous: true, degraded: 'no', degradesAfter: null },
  ...{ isStreaming: true, isInStep: true, knowsPolicy: true, isCaughtUp: true },
};
const GONE: Situation = {
  ...HERE,
  isStreaming: false,
  isInStep: false,
  knowsPolicy: false,
  isCaughtUp: false,
};

/** What is done at each of some looks, one after the other. */
function watch(looks: (readonly [second: number, situation: Situation])[], memory: Memory = NOTHING) {
  let now = memory;
  const acts = looks.map(([second, situation]) => {
    const decided = decide(situation, now, moment(second));
    now = decided.memory;
    return decided.acts;
  });
  return { acts, memory: now };
}

test('a passive that is away for a moment is no event', () => {
  const { acts, memory } = watch([
    [0, HERE],
    [1, GONE],
    [2, GONE],
    [3, HERE],
  ]);
  expect(acts).toEqual([[], [], [], []]);
  expect(memory).toEqual({ ...NOTHING, seen: SEEN });
});

test('policy both: away and back are recorded once, and after a minute one mail is sent', () => {
  const { acts } = watch([
    [0, HERE],
    [1, GONE],
    [3, GONE],
    [4, GONE],
    [60, GONE],
    [61, GONE],
    [600, GONE],
    [700, HERE],
  ]);
  expect(acts).toEqual([[], [], ['away'], [], [], ['tell'], [], ['back']]);
});

test('where sync is off nobody is told by mail', () => {
  const off = { ...GONE, isSynchronous: false };
  expect(
    watch([
      [0, off],
      [3, off],
      [100, off],
    ]).acts,
  ).toEqual([[], ['away'], []]);
});

test('degrade-after: it goes on alone after so many seconds, and waits again when the passive has caught up', () => {
  const policy = { degradesAfter: 5 };
  const alone: Situation = { ...GONE, ...policy, isSynchronous: false, degraded: 'now' };
  const { acts } = watch([
    [0, { ...HERE, ...policy }],
    [1, { ...GONE, ...policy }],
    [5, { ...GONE, ...policy }],
    [6, { ...GONE, ...policy }],
    [100, alone],
    [101, { ...alone, isStreaming: true }],
    [102, { ...alone, isStreaming: true, isCaughtUp: true }],
    [103, { ...HERE, ...policy }],
  ]);
  expect(acts).toEqual([[], [], ['away'], ['degrade'], [], ['back'], ['restore'], []]);
});

test('what was not seen in step since PostgreSQL was started is not gone on without', () => {
  const gone = { ...GONE, degradesAfter: 1 };
  expect(
    watch([
      [0, gone],
      [50, gone],
      [61, gone],
    ]).acts,
  ).toEqual([[], ['away'], ['tell']]);
  const before = { ...NOTHING, seen: '2025-01-01T00:00:00.000Z' };
  expect(
    watch(
      [
        [0, gone],
        [10, gone],
      ],
      before,
    ).acts,
  ).toEqual([[], ['away']]);
});

test('one that does not know of the policy yet is not gone on without', () => {
  const policy = { degradesAfter: 1 };
  const looks: [number, Situation][] = [
    [0, { ...HERE, ...policy, knowsPolicy: false }],
    [1, { ...GONE, ...policy }],
    [10, { ...GONE, ...policy }],
  ];
  expect(watch(looks).acts).toEqual([[], [], ['away']]);
});

test('a restart of the server forgets nothing: since when the passive is away, and that it was in step', () => {
  const memory = { seen: SEEN, away: at(0).toISOString(), awayAt: 0, said: true, told: false };
  expect(watch([[60, { ...GONE, degradesAfter: 60 }]], memory).acts).toEqual([['degrade']]);
});

test('a degraded server waits again where PostgreSQL was started by other means, or the policy is both', () => {
  const alone = { ...GONE, isSynchronous: false, degradesAfter: 5 };
  const memory = { seen: SEEN, away: at(0).toISOString(), awayAt: 0, said: true, told: true };
  expect(watch([[60, { ...alone, degraded: 'before' }]], memory).acts).toEqual([['demand']]);
  expect(watch([[60, { ...alone, degraded: 'now', degradesAfter: null }]], memory).acts).toEqual([
    ['demand'],
  ]);
  expect(watch([[60, { ...alone, degraded: 'now' }]], memory).acts).toEqual([[]]);
});

test.each([3600, -3600])(
  'defect: a clock that was set by %i s had the policy act at once, or an hour late',
  (seconds) => {
    onTestFinished(() => {
      wrongBy = 0;
    });
    const policy = { degradesAfter: 60 };
    const before = watch([
      [0, { ...HERE, ...policy }],
      [1, { ...GONE, ...policy }],
    ]);
    wrongBy = seconds;
    const after = watch(
      [3, 60, 61].map((second) => [second, { ...GONE, ...policy }] as const),
      before.memory,
    );
    expect(after.acts).toEqual([['away'], [], ['degrade']]);
  },
);
