import { type Account, isRoot } from '../core/account.ts';
import { readConfiguration } from '../core/configuration.ts';
import { ownerOf } from '../core/ownership.ts';
import { type Cluster, clusterFromRoot } from '../database/cluster.ts';
import { type Self, selfOf } from '../database/replication/self.ts';
import { elsewhere, isExternal, type Source, sourceOf } from '../database/source.ts';
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

/** The same where others may run the database. */
export interface OpenedSource extends Omit<OpenedCluster, 'cluster'> {
  source: Source;
}

/**
 * Finds the cluster: by `--pg-rootdir` alone, as existing automation names it, else by the configuration directory. The
 * cluster's own settings name its port. `judge` may refuse a configuration directory.
 */
export async function openSource(
  pgRootdir: string | undefined,
  context: Context,
  judge?: (confdir: string) => Promise<void>,
): Promise<OpenedSource> {
  const { globals, terminal } = context;
  if (pgRootdir === undefined) await judge?.(globals.confdir);
  const account = await (pgRootdir === undefined
    ? ownerOf(globals.confdir, sudoLine)
    : ownerOf(pgRootdir, sudoLine, `ktadmin init --pg-rootdir ${pgRootdir}`));
  if (isRoot()) await become(account, terminal);
  if (pgRootdir !== undefined) return { source: await clusterFromRoot(pgRootdir), account };
  const { confdir } = globals;
  const configuration = await readConfiguration(confdir);
  return { source: sourceOf({ confdir, configuration }), account, self: selfOf(configuration) };
}

/** The same for what only works on the private cluster; `what` is said where others run the database. */
export async function openCluster(
  pgRootdir: string | undefined,
  context: Context,
  what: string,
  judge?: (confdir: string) => Promise<void>,
): Promise<OpenedCluster> {
  const { source, ...opened } = await openSource(pgRootdir, context, judge);
  if (isExternal(source)) throw elsewhere(what);
  return { ...opened, cluster: source };
}
