import type { Registry } from 'prom-client';
import { freeSpace } from '../core/files.ts';
import { load } from '../core/lazy.ts';
import { countMails } from '../notices/waiting.ts';
import { nextExpiry } from '../tls/expiry.ts';
import { measurePair } from './pair-metrics.ts';
import type { App, Services } from './services.ts';

/** Seconds, from what an indexed look-up takes to what nobody waits for. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Metrics of one process in the form in which those of several are added up. */
export type MetricsReport = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** What Prometheus is told of one process. */
export interface Metrics {
  report(): Promise<MetricsReport>;
}

async function measureRequests(app: App, registry: Registry): Promise<void> {
  const { Counter, Histogram } = await load('promClient');
  const requests = new Counter({
    name: 'keytrustee_requests_total',
    help: 'Requests that were answered, by route and status.',
    labelNames: ['route', 'status'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'keytrustee_request_duration_seconds',
    help: 'How long requests took, by route.',
    labelNames: ['route'],
    buckets: BUCKETS,
    registers: [registry],
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    requests.inc({ route, status: reply.statusCode });
    durations.observe({ route }, reply.elapsedTime / 1000);
    done();
  });
}

async function measurePool({ pool }: Services, registry: Registry): Promise<void> {
  const { Gauge } = await load('promClient');
  new Gauge({
    name: 'keytrustee_database_connections',
    help: 'Connections to the database, and requests that wait for one.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      this.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      this.set({ state: 'idle' }, pool.idleCount);
      this.set({ state: 'waiting' }, pool.waitingCount);
    },
  });
}

/** A number that the whole server has once, not each of its processes: the length of a queue, say. */
export interface Gauged {
  name: string;
  help: string;
  /** Undefined where there is no such thing. */
  read(services: Services): Promise<number> | undefined;
}

/** The numbers that the whole server has once. The first process reads them when Prometheus asks. */
const GAUGED: Gauged[] = [
  {
    name: 'keytrustee_mails_waiting',
    help: 'Mails that wait or are tried again.',
    read: ({ pool }) => countMails(pool, 'waiting'),
  },
  {
    name: 'keytrustee_mails_given_up',
    help: 'Mails that were given up and wait for ktadmin mail retry.',
    read: ({ pool }) => countMails(pool, 'given-up'),
  },
  {
    name: 'keytrustee_database_free_bytes',
    help: 'Bytes that are free where the database lies; below FREE_SPACE_MEGABYTES clients add nothing.',
    read: ({ room: { places } }) => (places.database === undefined ? undefined : freeSpace(places.database)),
  },
  {
    name: 'keytrustee_audit_free_bytes',
    help: 'The same where the audit trail lies.',
    read: ({ room }) => freeSpace(room.places.audit),
  },
];

async function measureServer(services: Services, registry: Registry): Promise<void> {
  const { Gauge } = await load('promClient');
  const gauge = (name: string, help: string, read: () => number | undefined | Promise<number>) =>
    new Gauge({
      ...{ name, help, registers: [registry], aggregator: 'first' },
      async collect() {
        const value = await Promise.resolve(read()).catch(() => undefined);
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  const help = 'Days until the TLS certificate, or one of an authority that is sent with it, expires.';
  gauge('keytrustee_certificate_expiry_days', help, () => nextExpiry(services.chain)?.days);
  for (const { name, help, read } of GAUGED) gauge(name, help, () => read(services));
}

/** Measures what a process does. Must be called before there are routes. */
export async function useMetrics(app: App, services: Services): Promise<Metrics> {
  const { Registry, collectDefaultMetrics } = await load('promClient');
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  await measureRequests(app, registry);
  await measurePool(services, registry);
  if (services.worker === 1) {
    await measureServer(services, registry);
    await measurePair(services, registry);
  }
  return { report: () => registry.getMetricsAsJSON() };
}
