import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Settings } from '../core/configuration.ts';
import { interruption } from '../core/interrupt.ts';
import type { Trail } from '../core/trail.ts';
import { clusterAt } from '../database/cluster.ts';
import { openPool } from '../database/pool.ts';
import { createApp } from './app.ts';
import type { Services } from './services.ts';

/** Connections to PostgreSQL of one process. */
const POOL_SIZE = 10;

/** How the server is to run. */
export interface ServeRequest {
  settings: Settings;
  port: number;
  trail: Trail;
  /** Called once it answers, with where. */
  listening(address: string): void;
}

/** Serves HTTPS until the program is interrupted, and finishes what is in flight then. */
export async function serve({ settings, port, trail, listening }: ServeRequest): Promise<void> {
  const { configuration } = settings;
  const pool = await openPool(clusterAt(configuration.PG_ROOTDIR, configuration.DB_PORT), POOL_SIZE);
  const spent = new Set<string>();
  const services: Services = {
    settings,
    pool,
    trail,
    secret: randomBytes(32),
    spend: async (challenge) => !spent.has(challenge) && spent.add(challenge).has(challenge),
  };
  const app = await createApp(services, {
    cert: await readFile(configuration.SSL_CERTIFICATE),
    key: await readFile(configuration.SSL_PRIVATE_KEY),
  });
  const stopped = new Promise<void>((resolve) => {
    if (interruption.aborted) resolve();
    else interruption.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    listening(await app.listen({ port, host: configuration.LISTEN_ADDRESS ?? '::' }));
    await stopped;
  } finally {
    await app.close();
    await pool.end();
  }
}
