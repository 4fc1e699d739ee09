import { setTimeout as delay } from 'node:timers/promises';

/** Waits for work that may hang, for no longer than so many milliseconds. It fails where the work fails in that time. */
export async function within(work: Promise<unknown>, limit: number): Promise<void> {
  const isOver = new AbortController();
  try {
    await Promise.race([work, delay(limit, undefined, { signal: isOver.signal })]);
  } finally {
    isOver.abort();
  }
}
