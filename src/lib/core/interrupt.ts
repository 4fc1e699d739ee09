import { setMaxListeners } from 'node:events';
import { constants } from 'node:os';

const controller = new AbortController();
// Everything that is under way listens, and the client's library may do many things at once: that is no leak.
setMaxListeners(0, controller.signal);

/** Aborted when SIGINT, SIGTERM or SIGHUP arrives: every wait and every child listens to it, and unwinds through its own clean-up. */
export const interruption: AbortSignal = controller.signal;

/** Why the program was interrupted. The exit status is `128 + number`. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  readonly signal: NodeJS.Signals;
  readonly status: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
    this.status = 128 + constants.signals[signal];
  }
}

/** Ends this run as if `signal` had arrived; a prompt calls it when Ctrl-C was typed at it. */
export function interrupt(signal: NodeJS.Signals): Interrupted {
  const reason = new Interrupted(signal);
  if (!interruption.aborted) controller.abort(reason);
  return interruption.reason as Interrupted;
}

let keyboardIsOthers = false;

/** Leaves Ctrl-C to a program that runs on this process's own terminal, as long as `work` runs. */
export async function withoutKeyboardInterrupt<T>(work: () => Promise<T>): Promise<T> {
  keyboardIsOthers = true;
  try {
    return await work();
  } finally {
    keyboardIsOthers = false;
  }
}

let hangUp: (() => void) | undefined;

/** Hands SIGHUP to `handler` as long as `work` runs, instead of ending: a service reads its configuration again by it. */
export async function withHangup<T>(handler: () => void, work: () => Promise<T>): Promise<T> {
  hangUp = handler;
  try {
    return await work();
  } finally {
    hangUp = undefined;
  }
}

/** Listens for signals; the second one calls `atOnce`, which ends the process without clean-up. */
export function listenForSignals(atOnce: (status: number) => void): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (signal === 'SIGINT' && keyboardIsOthers) return;
      if (signal === 'SIGHUP' && hangUp !== undefined) return hangUp();
      if (interruption.aborted) atOnce(128 + constants.signals[signal]);
      else interrupt(signal);
    });
  }
}

/** Resolves when the program is interrupted; for a service, whose work that ends well. */
export function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    if (interruption.aborted) resolve();
    else interruption.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Throws when the program was interrupted. Called between the steps of long work. */
export function checkInterruption(): void {
  if (interruption.aborted) throw interruption.reason;
}
