import type { Account } from '../core/account.ts';
import type { Reporter } from '../core/reporter.ts';
import type { Cluster } from '../database/cluster.ts';
import type { Self } from '../database/replication/self.ts';

/** What the commands of a pair work on. */
export interface PairSite {
  cluster: Cluster;
  account: Account;
  /** How this server is reached, and of which key and version it is. */
  self: Self;
  /** HA_WRITE_POLICY. */
  policy: string;
  reporter: Pick<Reporter, 'step'> & { notice(text: string): void };
  /** Writes into the audit trail what is about to be done. */
  record(what: Record<string, string | number | boolean | null>): Promise<void>;
}
