import type { Client, ClientConfig, Pool, PoolClient } from 'pg';
import { errorCode, failure, KeyTrusteeError } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { WriteRefusal } from '../core/refusal.ts';
import { isUnavailable } from './availability.ts';
import type { Found } from './host.ts';
import type { Route } from './route.ts';

/** How often a connection is tried: the host that was known, and what is found instead. */
const TRIES = 3;

/** What PostgreSQL says where a host takes no writes. */
const READ_ONLY = '25006';

/** For a server everything that keeps it from its database passes some time: its clients are told to try again. */
function unavailable(error: unknown): unknown {
  if (!(error instanceof KeyTrusteeError) || error.code === 'unreachable') return error;
  return failure('unreachable', error.message, error.hint, error);
}

/** Whether a connection that failed so must not be used again, and its host may take no writes any more. */
function isLost(error: unknown): boolean {
  if (error instanceof WriteRefusal) return error.refusal === 'read_only' || error.refusal === 'unconfirmed';
  return errorCode(error) === READ_ONLY || isUnavailable(error);
}

async function refusePassive(client: Pick<Client, 'query'>): Promise<void> {
  const { rows } = await client.query<{ passive: boolean }>(
    "select current_setting('transaction_read_only')::boolean as passive",
  );
  if (rows[0]?.passive !== false) throw failure('unreachable', 'the host takes no writes any more');
}

const isBusy = (error: unknown) => error instanceof Error && /exceeded when trying/.test(error.message);

/** A pool whose connections lead to one of several hosts, and which judges whether one is lost by an error. */
export type RoutedPool = Pool & { isLost?: typeof isLost };

type Callback = (error: Error | undefined, client?: PoolClient, done?: PoolClient['release']) => void;

/**
 * Opens a pool whose connections all lead to the host that takes writes. A new one is asked what it is; one whose host takes
 * none any more is thrown away, and the new host is looked for.
 */
export async function openRoutedPool(route: Route, config: ClientConfig, size: number): Promise<RoutedPool> {
  const { default: pg } = await load('pg');
  const hosts = new WeakMap<object, Found>();
  let latest: Found | undefined;
  class HostClient extends pg.Client {
    constructor(options: ClientConfig) {
      const found = route.known() ?? latest;
      super({ ...options, ...found?.config });
      if (found !== undefined) hosts.set(this, found);
    }
  }
  class HostPool extends pg.Pool {
    isLost = isLost;

    async #connect(): Promise<PoolClient> {
      for (let tries = 1; ; tries += 1) {
        latest = await route.primary();
        try {
          const client = await super.connect();
          if (hosts.get(client) === latest || tries > size + TRIES) return client;
          client.release(true);
        } catch (error) {
          // That every connection is lent says nothing of the host.
          if (isBusy(error) || tries >= TRIES || !isUnavailable(error)) throw error;
          route.forget(latest);
        }
      }
    }

    override connect(): Promise<PoolClient>;
    override connect(callback: Callback): void;
    override connect(callback?: Callback): Promise<PoolClient> | undefined {
      const connected = this.#connect().catch((error: unknown) => {
        throw unavailable(error);
      });
      if (callback === undefined) return connected;
      connected.then(
        (client) => setImmediate(callback, undefined, client, client.release),
        (error: Error) => setImmediate(callback, error),
      );
      return undefined;
    }
  }
  const pool = new HostPool({ ...config, max: size, Client: HostClient, onConnect: refusePassive } as never);
  pool.on('release', (error, client) => {
    if (error instanceof Error && isLost(error)) route.forget(hosts.get(client));
  });
  pool.on('error', (_error, client) => route.forget(hosts.get(client)));
  return pool;
}
