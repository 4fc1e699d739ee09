import type { Registry } from 'prom-client';
import { load } from '../core/lazy.ts';
import { POSITION, type Position } from '../database/position.ts';
import { readNode } from '../database/replication/node.ts';
import { isExternal, sourceOf } from '../database/source.ts';
import { type Look, look } from '../replication/look.ts';
import { isInStep } from '../replication/parts.ts';
import type { Services } from './services.ts';

/** One look serves all metrics of one answer; milliseconds. */
const ONE_ANSWER = 500;

/** What the metrics of a pair are made from. `seen` is undefined of a server that is alone. */
interface State {
  position: Position;
  epoch: number;
  seen: Look | undefined;
}

async function readState({ pool, settings }: Services): Promise<State | undefined> {
  const cluster = sourceOf(settings);
  // Those that run the database measure its hosts.
  if (isExternal(cluster)) return undefined;
  const [position] = (await pool.query<Position>(POSITION)).rows;
  if (position === undefined) return undefined;
  const isAlone = position.role === 'alone';
  const node = isAlone ? undefined : await readNode(cluster);
  return { position, epoch: node?.epoch ?? 0, seen: isAlone ? undefined : await look(pool) };
}

const flag = (value: boolean) => (value ? 1 : 0);

/** The passive server, as the active one sees it. */
function senderOf({ synchronous, degraded, senders }: Look) {
  const id = synchronous ?? degraded?.split(' ')[0];
  return senders.find((each) => id === undefined || each.id === id);
}

const isDegraded = ({ synchronous, degraded }: Look) => synchronous === null && degraded !== null;

/** Of each metric its name, what it is, and its value; without one where there is none. */
const GAUGES: [name: string, help: string, value: (seen: Look) => number | null | undefined][] = [
  [
    'passive_connected',
    'Whether the log goes from the active server to the passive one, as this server sees it.',
    (seen) => flag((seen.receiver ?? senderOf(seen))?.state === 'streaming'),
  ],
  [
    'sync',
    'On the active server: whether each change is on the passive one before it is acknowledged.',
    (seen) => (seen.inRecovery ? null : flag(seen.synchronous !== null && isInStep(senderOf(seen)))),
  ],
  [
    'degraded',
    'On the active server: whether it goes on without the passive one because HA_WRITE_POLICY has it so.',
    (seen) => (seen.inRecovery ? null : flag(isDegraded(seen))),
  ],
  [
    'lag_bytes',
    'On the active server: how much of the log the passive one has not applied.',
    (seen) => senderOf(seen)?.replayBytes,
  ],
  [
    'lag_seconds',
    'How far the passive server is behind.',
    (seen) => (seen.receiver === null ? senderOf(seen)?.seconds : seen.receiver.delaySeconds),
  ],
  [
    'slot_retained_bytes',
    'On the active server: how much of its log is kept for the passive one.',
    (seen) => seen.slots[0]?.retainedBytes,
  ],
];

/** Measures what becomes of the pair; a server that is alone has its role alone, and whether it takes writes. */
export async function measurePair(services: Services, registry: Registry): Promise<void> {
  const { Gauge } = await load('promClient');
  let asked: { at: number; state: Promise<State | undefined> } | undefined;
  const state = () => {
    if (asked === undefined || performance.now() - asked.at > ONE_ANSWER)
      asked = { at: performance.now(), state: readState(services).catch(() => undefined) };
    return asked.state;
  };
  const gauge = (name: string, help: string, value: (found: State) => number | null | undefined) =>
    new Gauge({
      ...{ name: `keytrustee_ha_${name}`, help, registers: [registry], aggregator: 'first' },
      async collect() {
        const found = await state();
        const now = found === undefined ? undefined : value(found);
        if (typeof now === 'number') this.set(now);
        else this.remove();
      },
    });
  new Gauge({
    ...{ name: 'keytrustee_ha_role', help: 'What this server is in its pair.', labelNames: ['role'] },
    ...{ registers: [registry], aggregator: 'first' },
    async collect() {
      this.reset();
      const found = await state();
      if (found !== undefined) this.set({ role: found.position.role }, 1);
    },
  });
  gauge('writes', 'Whether this server takes writes.', ({ position }) => flag(position.refusal === null));
  gauge('epoch', 'How often the pair has got another active server, and one.', ({ seen, epoch }) =>
    seen === undefined ? null : epoch,
  );
  for (const [name, help, value] of GAUGES)
    gauge(name, help, ({ seen }) => (seen === undefined ? null : value(seen)));
}
