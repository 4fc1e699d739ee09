/** Measures parts of work that follow each other. */
export interface Stopwatch {
  /** Ends a part. */
  lap(part: string): void;
  /** Ends a part that does not count. */
  discard(): void;
  /** Seconds of each part, to the millisecond, and of all. */
  read(): { times: Record<string, number>; seconds: number };
}

const rounded = (milliseconds: number) => Math.round(milliseconds) / 1000;

/** Starts a stopwatch; with what another process measured before. */
export function startStopwatch(before: Record<string, number> = {}): Stopwatch {
  const times = { ...before };
  let last = performance.now();
  return {
    lap(part) {
      const now = performance.now();
      times[part] = rounded(now - last);
      last = now;
    },
    discard() {
      last = performance.now();
    },
    read: () => ({
      times,
      seconds: rounded(Object.values(times).reduce((sum, seconds) => sum + seconds * 1000, 0)),
    }),
  };
}
