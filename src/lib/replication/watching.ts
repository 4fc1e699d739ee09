import type { AuditEvent } from '../core/trail.ts';
import type { Cluster } from '../database/cluster.ts';
import type { Self } from '../database/replication/self.ts';
import type { PairNotice } from '../mail/queue.ts';

/** Hears what the watcher has to say; a logger of fastify is one. */
interface PairLog {
  info(about: object, text: string): void;
  warn(about: object, text: string): void;
  error(about: object, text: string): void;
}

/** What the watcher of a pair works with. Settings may be others at each look. */
export interface Watching {
  cluster: Cluster;
  confdir: string;
  self(): Self;
  /** HA_WRITE_POLICY. */
  policy(): string;
  log: PairLog;
  /** Records what is about to be done. */
  record(event: string, what: AuditEvent['what']): Promise<void>;
  /** Has the administrators told by mail. */
  tell(notice: PairNotice): Promise<void>;
}
