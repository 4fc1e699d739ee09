import { environment } from './config.ts';
import { runChecked } from './process.ts';

/** No service waits longer for its manager to listen; milliseconds. */
const LIMIT = 5000;

/**
 * Tells the service manager of this service (sd_notify(3)): `READY=1`, `RELOADING=1`, `STOPPING=1`, `STATUS=…`. Does
 * nothing where no manager listens. A message comes from a child, so the unit says `NotifyAccess=all`.
 */
export async function notifyManager(...states: string[]): Promise<void> {
  const socket = environment.notifySocket;
  if (socket === undefined) return;
  await runChecked('systemd-notify', states, {
    variables: { NOTIFY_SOCKET: socket },
    timeout: LIMIT,
    cleanUp: true,
  });
}

/** The state that tells of a reload; the manager wants to know since when (microseconds of the monotonic clock). */
export function reloadingState(): string[] {
  return ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`];
}
