import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';
import type { Cluster } from './cluster.ts';
import { lockHolder, serverPid } from './lock-file.ts';
import { readControlData } from './replication/control-data.ts';
import { isRestarting } from './restarting.ts';
import { type RunningServer, stopAtOnce } from './server.ts';

/** How often a server that is no child of this process is looked at; while it is to end, too. Milliseconds. */
const LOOK = 500;
const LOOK_WHILE_ENDING = 50;

/** Waits until the next look; not any longer when this program is told to end. */
async function untilNextLook(): Promise<void> {
  if (interruption.aborted) await delay(LOOK_WHILE_ENDING);
  else await delay(LOOK, undefined, { signal: interruption }).catch(() => undefined);
}

/** Keeps a server that this process started. Returns in what way it ended, or undefined where that was in order. */
async function keepOwn(server: RunningServer): Promise<string | undefined> {
  const stop = () => void stopAtOnce(server);
  interruption.addEventListener('abort', stop, { once: true });
  if (interruption.aborted) stop();
  try {
    const status = await server.wait();
    if (status === 0) return undefined;
    return status === null ? 'was killed' : `ended by itself (exit status ${status})`;
  } finally {
    interruption.removeEventListener('abort', stop);
  }
}

function stopOther(pid: number): void {
  try {
    process.kill(pid, 'SIGINT');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Keeps the server that others started, until it is gone. */
async function keepOther(cluster: Cluster): Promise<void> {
  const pid = await serverPid(cluster);
  let isTold = false;
  while (pid !== undefined && (await serverPid(cluster)) === pid) {
    if (interruption.aborted && !isTold) {
      stopOther(pid);
      isTold = true;
    }
    await untilNextLook();
  }
}

/** In what way the last server ended, from what it left behind: nobody tells the exit status of another's child. */
async function lastEnd(cluster: Cluster): Promise<string | undefined> {
  if ((await lockHolder(cluster)) !== undefined) return 'was killed';
  // It took its lock file away, so it ended by itself. Where more is not known, it stays down: `db stop` may have fenced it.
  const state = (await readControlData(cluster).catch(() => undefined))?.state ?? 'shut down';
  return state.startsWith('shut down') ? undefined : `ended by itself (${state})`;
}

/** Whether there is a server after one has ended. A command that starts it anew is waited for. */
async function isThereAgain(cluster: Cluster): Promise<boolean> {
  for (;;) {
    const isAtWork = await isRestarting(cluster);
    if ((await serverPid(cluster)) !== undefined) return true;
    if (!isAtWork) return false;
    await untilNextLook();
  }
}

/**
 * Stays until the server ends, and goes on with the one that a command puts in its place. `own` is undefined where others
 * started the server. When this program is told to end, the server is stopped first; that is the way a service manager ends
 * it, and so no failure. Neither is `db stop`: after it nobody may start the server again by himself.
 */
export async function waitForServer(cluster: Cluster, own: RunningServer | undefined): Promise<void> {
  let how = own === undefined ? undefined : await keepOwn(own);
  while (await isThereAgain(cluster)) {
    await keepOther(cluster);
    how = undefined;
  }
  if (interruption.aborted) return;
  how ??= await lastEnd(cluster);
  if (how !== undefined)
    throw failure('failed', `PostgreSQL ${how}`, `its log is in ${cluster.logDirectory}`);
}
