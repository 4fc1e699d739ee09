import { randomBytes } from 'node:crypto';
import { openListener } from './listener.ts';
import type { Log } from './log.ts';
import type { Running, ServeRequest } from './running.ts';
import { createSpent } from './spent.ts';

/** Runs the server in this process alone. */
export async function openAlone({ settings, port, openTrail }: ServeRequest, log: Log): Promise<Running> {
  const spent = createSpent();
  const listener = await openListener({
    ...{ settings, port, log, openTrail, worker: 1, secret: randomBytes(32) },
    spend: async (challenge, expires) => spent(challenge, expires),
  });
  return {
    addresses: [listener.address],
    report: async () => [await listener.report()],
    look: async () => undefined,
    reload: listener.reload,
    stop: listener.close,
  };
}
