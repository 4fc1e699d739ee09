/** What is found of a pair, made up, for tests of what is said of it. */
import type { Facts, Seen } from '../../src/lib/replication/facts.ts';
import { judge } from '../../src/lib/replication/judge.ts';
import type { Look, Receiver, Sender } from '../../src/lib/replication/look.ts';

/** The nodes of the pair. */
export const ID = { active: 'kt1111111111111111', passive: 'kt2222222222222222' };

/** How the active server sees the passive one. */
export const sender: Sender = {
  ...{ id: ID.passive, address: '10.0.0.2', state: 'streaming', sync: 'sync', replayed: '0/1' },
  ...{ writeBytes: 0, flushBytes: 0, replayBytes: 0, seconds: 0 },
};
const receiver: Receiver = {
  ...{ state: 'streaming', received: '0/1', replayed: '0/1', silentSeconds: 0, delaySeconds: 0 },
};
const looks: Record<'active' | 'passive', Look> = {
  active: {
    ...{
      inRecovery: false,
      role: 'active',
      system: '1',
      timeline: 1,
      postgresql: '15.1',
      started: new Date(0),
    },
    ...{ synchronous: ID.passive, degraded: null, position: '0/1', senders: [sender], receiver: null },
    slots: [{ name: ID.passive, active: true, retainedBytes: 0, state: 'reserved' }],
    ...{ aloneSince: null, passiveId: null, hasDatabase: true },
  },
  passive: {
    ...{
      inRecovery: true,
      role: 'passive',
      system: '1',
      timeline: 1,
      postgresql: '15.1',
      started: new Date(0),
    },
    ...{ synchronous: null, degraded: null, position: '0/1', senders: [], receiver, slots: [] },
    ...{ aloneSince: null, passiveId: ID.passive, hasDatabase: true },
  },
};

type Side = 'active' | 'passive';

/** One server of a pair that is as it should be, but for what is said. */
export function seen(
  side: Side,
  here: boolean,
  look: Partial<Look> | null = {},
  more: Partial<Seen> = {},
): Seen {
  const pair = { epoch: 1, active: ID.active, sync: true, policy: 'both', changedAt: new Date(0) };
  return {
    ...{ here, id: ID[side], host: `${side}.example.com`, port: 11381, hint: null, pair, nodes: [] },
    ...{
      look: look === null ? null : { ...looks[side], ...look },
      reason: look === null ? 'no answer' : null,
      absence: look === null ? 'refused' : null,
    },
    ...{
      served: 'F',
      isHttpsKnown: true,
      isShort: false,
      clock: look === null ? null : 0,
      fingerprint: 'F',
      version: 'v1',
      ...more,
    },
  };
}

/** What the active server finds. */
export function facts(
  own: Partial<Look> | null,
  other: Partial<Look> | null,
  more: Partial<Facts> = {},
): Facts {
  return {
    node: { id: ID.active, role: 'active', epoch: 1, peer: { host: 'passive.example.com', port: 11381 } },
    own: seen('active', true, own),
    other: seen('passive', false, other),
    ...{
      policy: 'both',
      away: null,
      inStepSince: null,
      certificateEnds: new Date(Date.now() + 100 * 86_400_000),
      isAuthorityFirst: false,
      certificateFault: null,
    },
    ...more,
  };
}

/** What is said of it: severity, code, message, and what to do. */
export const said = (of: Facts) =>
  judge(of).map(({ severity, code, message, next }) => [severity, code, message, next]);
