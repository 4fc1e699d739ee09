import { type Account, isRoot } from '../core/account.ts';
import { readConfiguration } from '../core/configuration.ts';
import { ownerOf } from '../core/ownership.ts';
import { type Cluster, clusterAt, clusterFromRoot } from '../database/cluster.ts';
import { type Self, selfOf } from '../database/replication/self.ts';
import type { Context } from './command.ts';
import { become } from './execute.ts';
import { sudoLine } from './sudo.ts';

/** The cluster that a `db` command works on, and the account it belongs to, which this process has become. */
export interface OpenedCluster {
  cluster: Cluster;
  account: Account;
  /** What the server tells the other one of its pair; undefined where only its database is known. */
  self?: Self;
}

/**
 * Finds the cluster: by `--pg-rootdir` alone, as existing automation names it, else by the configuration directory. The
 * cluster's own settings name its port. `judge` may refuse a configuration directory.
 */
export async function openCluster(
  pgRootdir: string | undefined,
  context: Context,
  judge?: (confdir: string) => Promise<void>,
): Promise<OpenedCluster> {
  const { globals, terminal } = context;
  if (pgRootdir === undefined) await judge?.(globals.confdir);
  const account = await (pgRootdir === undefined
    ? ownerOf(globals.confdir, sudoLine)
    : ownerOf(pgRootdir, sudoLine, `ktadmin init --pg-rootdir ${pgRootdir}`));
  if (isRoot()) await become(account, terminal);
  if (pgRootdir !== undefined) return { cluster: await clusterFromRoot(pgRootdir), account };
  const configuration = await readConfiguration(globals.confdir);
  const cluster = clusterAt(configuration.PG_ROOTDIR, configuration.DB_PORT);
  return { cluster, account, self: selfOf(configuration) };
}
