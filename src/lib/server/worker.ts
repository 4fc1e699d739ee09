import type { Ask } from '../core/conversation.ts';
import { explain } from '../core/errors.ts';
import { interrupt, untilInterrupted, withHangup } from '../core/interrupt.ts';
import { askPrimary, leaveCrew, type WorkerFailure } from '../core/workers.ts';
import { type Listener, openListener } from './listener.ts';
import { openLog } from './log.ts';
import type { Greeting, Spending } from './primary.ts';
import type { ServeRequest } from './running.ts';

function describe(error: unknown): WorkerFailure {
  const { code, message, hint } = explain(error);
  return { code, message, hint };
}

async function open(request: ServeRequest, ask: Ask): Promise<Listener> {
  const { worker, secret } = await ask<Greeting>('hello');
  return openListener({
    ...{ settings: request.settings, port: request.port, openTrail: request.openTrail, worker },
    log: await openLog(request.level, worker),
    secret: Buffer.from(secret, 'base64'),
    spend: (challenge, expires) => ask<boolean>('spend', { challenge, expires } satisfies Spending),
  });
}

/** Serves in a process that another one started, which says when to read the settings again and when to stop. */
export async function serveAsWorker(request: ServeRequest): Promise<void> {
  let listener: Listener | undefined;
  const ask = askPrimary({
    look: () => undefined,
    reload: () => listener?.reload().then(() => undefined, describe),
    report: () => listener?.report(),
    stop: () => void interrupt('SIGTERM'),
  });
  // A signal to the whole group reaches the primary, too, which then tells its workers.
  await withHangup(
    () => undefined,
    async () => {
      try {
        listener = await open(request, ask);
        await ask('listening', listener.address);
        await ask('ready');
        await untilInterrupted();
        await listener.close();
      } catch (error) {
        await ask('failed', describe(error));
      }
    },
  );
  leaveCrew();
}
