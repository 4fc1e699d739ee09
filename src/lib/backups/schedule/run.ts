import type { Times } from './intervals.ts';

/** What a schedule runs, when, and as whom. */
export interface ScheduledRun {
  times: Times;
  account: string;
  /** Program and arguments, by full paths. */
  words: string[];
  /** Of its environment: what is not there by itself at night. */
  variables: Record<string, string>;
  /** Directories that it writes in; everything else may be closed to it. */
  writes: string[];
  /** For whoever reads the file. */
  notes: string[];
}
