import { startMail } from '../notices/runner.ts';
import { watchExpiry } from './expiry.ts';
import { watchServersPair } from './pair-watch.ts';
import type { Services } from './services.ts';
import type { Started } from './started.ts';

/** Starts work that one process of the server does beside its requests. The database may be down then and later. */
export type Background = (services: Services) => Promise<Started>;

/** All such work. */
const BACKGROUND: Background[] = [
  async (services) => startMail(services),
  async (services) => watchExpiry(services),
  async (services) => watchServersPair(services),
];

/** Starts the work beside the requests in the first process of the server. What cannot start does not stop the server. */
export async function startBackground(services: Services): Promise<Started[]> {
  const started: Started[] = [];
  for (const start of services.worker === 1 ? BACKGROUND : []) {
    try {
      started.push(await start(services));
    } catch (error) {
      services.log.error({ err: error }, 'work beside the requests could not be started');
    }
  }
  return started;
}
