/** Work beside the requests that runs. */
export interface Started {
  /** Ends it, after what it is at. */
  stop(): Promise<void>;
  /** Tells it that settings and certificate may be others now. */
  reloaded?(): void;
}
