import type { Configuration, Settings } from '../core/configuration.ts';
import { databaseHosts } from '../core/database-url.ts';
import { failure, type KeyTrusteeError } from '../core/errors.ts';
import { type Cluster, clusterAt } from './cluster.ts';
import { openRoute, type Route } from './route.ts';

/** A database cluster that others run, of several hosts: `DATABASE_URLS`. */
export interface ExternalCluster {
  route: Route;
  /** Where files may lie for a moment: the configuration directory. */
  root: string;
}

/** Where the server's tables are: in its private cluster, or in one that others run. */
export type Source = Cluster | ExternalCluster;

/** Whether others run the database. */
export function isExternal(source: Source): source is ExternalCluster {
  return 'route' in source;
}

/** The database that the settings name. Nothing is connected to yet. */
export function sourceOf({ confdir, configuration }: Pick<Settings, 'confdir' | 'configuration'>): Source {
  const { PG_ROOTDIR, DB_PORT, DATABASE_URLS, DATABASE_PASSWORD_FILE } = configuration;
  if (DATABASE_URLS === undefined) return clusterAt(PG_ROOTDIR, DB_PORT);
  return { route: openRoute(databaseHosts(DATABASE_URLS), DATABASE_PASSWORD_FILE), root: confdir };
}

/** Why there is no restore into a database that others run. */
export const NO_RESTORE = 'it is restored where it is';

/** Refuses what needs the private cluster; `what` is said of the database that others run. */
export function elsewhere(
  what: string,
  hint = 'those who run that database do this with its own means',
): KeyTrusteeError {
  return failure('state', `the database is elsewhere (DATABASE_URLS): ${what}`, hint);
}

/**
 * The private cluster, for what only works on that: starting and stopping it, backups and restores. Refused where others run
 * the database; `what` is what would need the private cluster, for the message.
 */
export function privateCluster(
  { PG_ROOTDIR, DB_PORT, DATABASE_URLS }: Pick<Configuration, 'PG_ROOTDIR' | 'DB_PORT' | 'DATABASE_URLS'>,
  what: string,
  hint?: string,
): Cluster {
  if (DATABASE_URLS === undefined) return clusterAt(PG_ROOTDIR, DB_PORT);
  throw elsewhere(what, hint);
}
