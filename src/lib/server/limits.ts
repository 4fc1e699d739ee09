import type { FastifyReply, FastifyRequest } from 'fastify';
import { load } from '../core/lazy.ts';
import { Refusal } from '../core/refusal.ts';
import { waitingFor } from '../database/pool.ts';
import type { App, Services } from './services.ts';

/** What a request may take, and how much is too much. Times are milliseconds. */
export const LIMITS = {
  /** Bytes of a body; a route that takes more says so. */
  body: 64 * 1024,
  /** Bytes of all headers. */
  headers: 16 * 1024,
  handshakeTime: 10_000,
  headersTime: 10_000,
  requestTime: 60_000,
  keepAliveTime: 65_000,
  /** How often late requests are looked for. */
  checkTime: 1000,
  /** Connections of one process. */
  connections: 10_000,
  /** Requests that wait for a connection to the database; beyond that they are refused. */
  queue: 500,
  /** By how much a process may be late with what it has to do. */
  delay: 500,
};

/** What `createApp` keeps to. */
export type Limits = typeof LIMITS;

const MINUTE = 60_000;
/** Names that are counted; then all are forgotten. */
const REMEMBERED = 100_000;

/** Seconds after which a client that was refused for want of capacity may try again. */
export const RETRY_AFTER = 5;

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts a request of a client whose session is good; a refusal where it sent too many. */
    limitClient(reply: FastifyReply, fingerprint: string): Refusal | undefined;
    /** Counts a request of an address that proved nothing; a refusal where it sent too many. */
    limitAddress(request: FastifyRequest, reply: FastifyReply): Promise<Refusal | undefined>;
  }
}

/** How often a name was counted in this minute, and how much of the minute is left; milliseconds. */
interface Counted {
  current: number;
  ttl: number;
}

/** Counts by name; all begin anew every minute, whatever the clock of the host is set to. */
function createCounts(): (name: string) => Counted {
  const counts = new Map<string, number>();
  let end = 0;
  return (name) => {
    const now = performance.now();
    if (now >= end) {
      counts.clear();
      end = now + MINUTE;
    }
    if (counts.size >= REMEMBERED) counts.clear();
    const current = (counts.get(name) ?? 0) + 1;
    counts.set(name, current);
    return { current, ttl: end - now };
  };
}

/** Limits what is counted by name. No library, because it is part of every read. */
function createCounter(most: () => number): (reply: FastifyReply, name: string) => Refusal | undefined {
  const count = createCounts();
  return (reply, name) => {
    const { current, ttl } = count(name);
    if (current <= most()) return undefined;
    reply.header('retry-after', Math.ceil(ttl / 1000));
    return new Refusal('rate_limited');
  };
}

/** Where the library counts. Its own store goes by the clock of the host: one that is set back has it refuse for as long. */
class Store {
  readonly #count = createCounts();

  incr(name: string, done: (error: Error | null, counted?: Counted) => void): void {
    done(null, this.#count(name));
  }

  child(): Store {
    return new Store();
  }
}

/** Limits how many requests a client, and an address without a session, may send in a minute. Each process counts its own. */
export async function useRateLimits(app: App, services: Services): Promise<void> {
  const { default: rateLimit } = await load('rateLimit');
  await app.register(rateLimit, { global: false, store: Store });
  const count = app.createRateLimit({
    max: () => services.settings.configuration.RATE_LIMIT_ADDRESS,
    timeWindow: MINUTE,
  });
  app.decorate(
    'limitClient',
    createCounter(() => services.settings.configuration.RATE_LIMIT_CLIENT),
  );
  app.decorate('limitAddress', async (request: FastifyRequest, reply: FastifyReply) => {
    const counted = await count(request);
    if (counted.isAllowed || !counted.isExceeded) return undefined;
    reply.header('retry-after', Math.max(1, counted.ttlInSeconds));
    return new Refusal('rate_limited');
  });
  app.addHook('onRequest', (request, reply, done) => {
    // A session is counted by its client once it was checked, and by its address when it is not good.
    if (request.routeOptions.config?.session === true && request.headers.authorization !== undefined)
      return done();
    app.limitAddress(request, reply).then(done, done);
  });
}

/** Refuses requests while there is more to do than can be done: better a few at once than all of them late. */
export async function useShedding(app: App, services: Services, limits: Limits): Promise<void> {
  const { default: underPressure } = await load('underPressure');
  const shed = () => {
    throw new Refusal('unavailable');
  };
  await app.register(underPressure, { maxEventLoopDelay: limits.delay, pressureHandler: shed });
  app.addHook('onRequest', (_request, _reply, done) => {
    done(
      waitingFor(services.pool) + services.reader.waiting() > limits.queue
        ? new Refusal('unavailable')
        : undefined,
    );
  });
}
