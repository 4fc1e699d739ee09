import { randomBytes } from 'node:crypto';
import { type Crew, startCrew } from '../core/workers.ts';
import { crewReloads } from './crew-reloads.ts';
import { STOP_LIMIT } from './listener.ts';
import type { Log } from './log.ts';
import type { MetricsReport } from './metrics.ts';
import type { Running, ServeRequest } from './running.ts';
import { createSpent } from './spent.ts';

/** What a worker is told when it starts. */
export interface Greeting {
  worker: number;
  /** 32 bytes, base64. */
  secret: string;
}

/** A challenge that a worker wants to take out of use. */
export interface Spending {
  challenge: string;
  expires: number;
}

/** A worker that has not stopped by itself is killed this much later than what is in flight there; milliseconds. */
const GRACE = 5000;

/** No worker's metrics are waited for longer; milliseconds. */
const REPORT_LIMIT = 3000;

/** One that ends meanwhile, or hangs, is left out. */
async function reportAll(crew: Crew): Promise<MetricsReport[]> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, REPORT_LIMIT, undefined).unref());
  const asked = crew.members().map(({ ask }) => ask<MetricsReport>('report').catch(() => undefined));
  const reports = await Promise.all(asked.map((report) => Promise.race([report, late])));
  return reports.filter((report) => report !== undefined);
}

/** Runs the server in several processes; this one serves nobody itself. */
export async function openCrew({ workers, settings }: ServeRequest, log: Log): Promise<Running> {
  const secret = randomBytes(32).toString('base64');
  const spent = createSpent();
  const addresses = new Set<string>();
  const reloads = crewReloads(workers, log);
  const crew = startCrew({
    count: workers,
    answers: (worker) => ({
      hello: (): Greeting => ({ worker, secret }),
      spend: ({ challenge, expires }: Spending) => spent(challenge, expires),
      listening: (address: string) => void addresses.add(address),
    }),
    lost: (worker, how, delay) => log.error({ worker, how, delay }, 'a worker ended, and is started again'),
    joined: reloads.joined,
  });
  try {
    await crew.ready;
  } catch (error) {
    await crew.stop(0);
    throw error;
  }
  log.info({ workers, confdir: settings.confdir }, 'workers are ready');
  return {
    addresses: [...addresses],
    report: () => reportAll(crew),
    look: () => reloads.look(crew),
    reload: () => reloads.reload(crew),
    stop: () => crew.stop(STOP_LIMIT + GRACE),
  };
}
