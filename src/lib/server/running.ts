import type { Settings } from '../core/configuration.ts';
import type { OpenTrail } from '../core/trail.ts';
import type { LogLevel } from './log.ts';
import type { MetricsReport } from './metrics.ts';

/** How the server is to run. */
export interface ServeRequest {
  settings: Settings;
  port: number;
  workers: number;
  level: LogLevel;
  /** Opens the audit trail of one of the server's processes. */
  openTrail(worker: number): Promise<OpenTrail>;
}

/** A server that runs, in this process or in workers of it. */
export interface Running {
  addresses: string[];
  /** What each of its processes has measured. */
  report(): Promise<MetricsReport[]>;
  /** Rejects where one of its processes does not answer. */
  look(): Promise<void>;
  reload(): Promise<void>;
  stop(): Promise<void>;
}
