import { failure } from '../core/errors.ts';

/** Lets so many do something at once, and the others wait for their turn. */
export interface Turns {
  take<T>(work: () => Promise<T>): Promise<T>;
  /** How many wait. */
  waiting(): number;
}

/** Makes `count` turns at once; who waits for one longer than `limit` milliseconds is refused. */
export function createTurns(count: number, limit: number): Turns {
  const queue = new Set<() => void>();
  let free = count;
  const wait = () =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        queue.delete(begin);
        reject(failure('unreachable', 'the database has too much to do'));
      }, limit);
      const begin = () => {
        clearTimeout(timer);
        resolve();
      };
      queue.add(begin);
    });
  const leave = () => {
    const [next] = queue;
    if (next === undefined) free += 1;
    else queue.delete(next);
    next?.();
  };
  return {
    waiting: () => queue.size,
    async take(work) {
      if (free > 0) free -= 1;
      else await wait();
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
