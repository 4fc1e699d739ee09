import { setTimeout as pause } from 'node:timers/promises';
import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { openControl } from '../core/control.ts';
import { explain, failure } from '../core/errors.ts';
import { untilInterrupted, withHangup } from '../core/interrupt.ts';
import { withLock } from '../core/lock.ts';
import { notifyManager, reloadingState } from '../core/notify.ts';
import { isWorker } from '../core/workers.ts';
import { findServerKey } from '../gpg/server-key.ts';
import { openAlone } from './alone.ts';
import { type Log, openLog } from './log.ts';
import { serveMetrics } from './metrics-server.ts';
import { openCrew } from './primary.ts';
import type { Running, ServeRequest } from './running.ts';
import { openTls } from './tls.ts';
import { serveAsWorker } from './worker.ts';

async function refuseUnusable({ confdir, configuration }: Settings, log: Log): Promise<void> {
  const { warnings } = await openTls(configuration);
  for (const warning of warnings) log.warn(warning);
  const { LOCAL_FINGERPRINT } = configuration;
  if ((await findServerKey(confdirFiles(confdir), LOCAL_FINGERPRINT)) !== undefined) return;
  throw failure(
    'state',
    `the secret key of ${LOCAL_FINGERPRINT} is not in ${confdir}`,
    'ktadmin restore FILE brings it back; ktadmin config check lists every fault',
  );
}

/** A reload that hangs does not keep the server from stopping; milliseconds. */
const RELOAD_LIMIT = 5000;

/** Tells the service manager; one that does not listen does not stop a server that runs. */
async function tell(log: Log, ...states: string[]): Promise<void> {
  await notifyManager(...states).catch((error: unknown) => {
    log.warn({ err: error }, 'the service manager could not be told');
  });
}

/** Reads settings and certificate again; where that fails it says so everywhere, and rejects. */
async function reload(running: Running, log: Log): Promise<void> {
  await tell(log, ...reloadingState());
  try {
    await running.reload();
    log.info('reloaded: settings and certificate are in use');
    await tell(log, 'READY=1', 'STATUS=serving');
  } catch (error) {
    const { message, hint } = explain(error);
    log.error({ hint }, `not reloaded, what was in use stays so: ${message}`);
    await tell(log, 'READY=1', `STATUS=serving; the last reload failed: ${message}`);
    throw error;
  }
}

/** One reload after the other; one that is asked for meanwhile is not lost. */
function inTurn(work: () => Promise<void>): { again(): Promise<void>; settled(): Promise<unknown> } {
  let last: Promise<unknown> = Promise.resolve();
  return {
    again() {
      const turn = last.then(work);
      last = turn.catch(() => undefined);
      return turn;
    },
    settled: () => last,
  };
}

async function run(request: ServeRequest, log: Log): Promise<void> {
  await refuseUnusable(request.settings, log);
  const running = request.workers > 1 ? await openCrew(request, log) : await openAlone(request, log);
  const reloads = inTurn(() => reload(running, log));
  const { addresses } = running;
  const state = async () => {
    await running.look();
    return { pid: process.pid, addresses, workers: request.workers };
  };
  const endControl = await openControl(request.settings.confdir, { state, reload: reloads.again });
  const endMetrics = await serveMetrics(request.settings.configuration.METRICS_PORT, running, log);
  // Why a reload failed is in the log by then.
  const hangUp = () => void reloads.again().catch(() => undefined);
  await withHangup(hangUp, async () => {
    log.info(`listening on ${addresses.join(', ')}`);
    await tell(log, 'READY=1', 'STATUS=serving');
    await untilInterrupted();
    log.info('stopping: what is in flight is finished');
    await tell(log, 'STOPPING=1');
    await Promise.race([reloads.settled(), pause(RELOAD_LIMIT, undefined, { ref: false })]);
    try {
      await running.stop();
    } finally {
      // Where the trail takes no last line the stop fails, and the process ends all the same.
      endMetrics();
      await endControl();
    }
    log.info('stopped');
  });
}

async function serveAsPrimary(request: ServeRequest): Promise<void> {
  const log = await openLog(request.level);
  const hint = 'systemctl status keytrusteed shows it; a server that runs reads its settings again by SIGHUP';
  await withLock(request.settings.confdir, 'server', () => run(request, log), hint);
}

/** Serves HTTPS until the program is interrupted, and finishes what is in flight then. */
export async function serve(request: ServeRequest): Promise<void> {
  if (isWorker()) await serveAsWorker(request);
  else await serveAsPrimary(request);
}
