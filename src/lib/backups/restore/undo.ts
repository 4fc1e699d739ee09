import type { Account } from '../../core/account.ts';
import { type Configuration, readConfiguration, readRawConfiguration } from '../../core/configuration.ts';
import { failure } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import type { Reporter } from '../../core/reporter.ts';
import { reached } from '../../core/steps.ts';
import { exchangeJournal } from '../../core/unfinished.ts';
import { type Cluster, clusterExists } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { NO_RESTORE, privateCluster } from '../../database/source.ts';
import { carrySequence } from '../sequence.ts';
import { bringUpPlaced } from './bring-up.ts';
import { checkServerKey } from './confdir.ts';
import { compareDatabases, type Difference } from './difference.ts';
import { databaseNames, withConnectionsAllowed } from './exchange.ts';
import { exchangeAll } from './exchange-all.ts';
import type { Journal } from './journal.ts';
import { chooseNames, type Former, formerStates } from './names.ts';
import { checkPlaced } from './placed.ts';
import { withRunningCluster } from './running-cluster.ts';

/** What an undo is about to bring back, for the person who is asked. */
export interface UndoPlan {
  confdir: string;
  former: Former;
  /** Rows of the former database. */
  rows: Record<string, number> | undefined;
  /** The server that the former configuration belongs to; undefined where that configuration cannot be read. */
  fingerprint: string | undefined;
  difference: Difference | undefined;
}

/** Shows the plan, and fails when it is not wanted. */
export type UndoConsent = (plan: UndoPlan) => Promise<void>;

const nothing = (confdir: string) =>
  failure(
    'notFound',
    `no former state of ${confdir} is kept`,
    'to bring back a backup: ktadmin restore FILE',
  );

async function configurationAt(confdir: string): Promise<Configuration | undefined> {
  return readConfiguration(confdir).catch(() => undefined);
}

/** The cluster of the server, by the configuration in place, else by the former one; undefined where there is none. */
async function findCluster(confdir: string): Promise<Cluster | undefined> {
  const [kept] = (await formerStates(confdir, [])).flatMap((former) => former.confdir ?? []);
  const configuration =
    (await configurationAt(confdir)) ?? (kept === undefined ? undefined : await configurationAt(kept));
  if (configuration === undefined) return undefined;
  const cluster = privateCluster(configuration, NO_RESTORE);
  return (await clusterExists(cluster)) ? cluster : undefined;
}

/** A former configuration that names another cluster has its database there, where nothing took its place. */
async function withOwnCluster(former: Former, cluster: Cluster | undefined): Promise<Former> {
  if (former.confdir === undefined || cluster === undefined) return former;
  const raw: Record<string, unknown> = await readRawConfiguration(former.confdir).catch(() => ({}));
  const { PG_ROOTDIR: root } = raw;
  return typeof root === 'string' && root !== cluster.root ? { ...former, database: undefined } : former;
}

async function plan(confdir: string, cluster: Cluster | undefined): Promise<UndoPlan> {
  const databases = cluster === undefined ? [] : await databaseNames(cluster);
  const [newest] = await formerStates(confdir, databases);
  if (newest === undefined) throw nothing(confdir);
  const former = await withOwnCluster(newest, cluster);
  const configuration = former.confdir === undefined ? undefined : await configurationAt(former.confdir);
  const fingerprint = configuration?.LOCAL_FINGERPRINT;
  if (former.confdir !== undefined && fingerprint !== undefined)
    await checkServerKey(former.confdir, fingerprint);
  const { database } = former;
  if (cluster === undefined || database === undefined)
    return { confdir, former, fingerprint, rows: undefined, difference: undefined };
  const rows = await withConnectionsAllowed(cluster, database, () =>
    withDatabase(cluster, countRows, database),
  );
  return { confdir, former, fingerprint, rows, difference: await compareDatabases(cluster, database) };
}

async function exchangeBack(
  { confdir, former, fingerprint, rows }: UndoPlan,
  cluster: Cluster | undefined,
): Promise<Journal> {
  const databases = cluster === undefined ? [] : await databaseNames(cluster);
  const names = await chooseNames(confdir, databases);
  const { confdir: staged, database: loaded } = former;
  if (staged !== undefined) await carrySequence(staged, confdir);
  const exchange = {
    directories: staged === undefined ? [] : [{ staged, place: confdir, kept: names.keptConfdir }],
    database:
      cluster === undefined || loaded === undefined
        ? undefined
        : { cluster, loaded, kept: names.keptDatabase },
  };
  return exchangeAll(exchangeJournal(confdir), exchange, checkPlaced, {
    purpose: 'undo',
    expected: { fingerprint, rows },
  });
}

/**
 * Brings back what was there before the last restore, or the last undo, by the same exchange; what is in place now is
 * kept in turn.
 */
export async function undoRestore(
  confdir: string,
  account: Account,
  reporter: Reporter,
  consent: UndoConsent,
): Promise<Journal> {
  const cluster = await findCluster(confdir);
  const work = async () => {
    reached('undo-running');
    const planned = await plan(confdir, cluster);
    await consent(planned);
    reached('undo-compared');
    return reporter.step('exchanging old and new', () => exchangeBack(planned, cluster));
  };
  if (cluster === undefined) return work();
  const isOpen = () => exists(exchangeJournal(confdir));
  const journal = await withRunningCluster(cluster, account, reporter, work, isOpen);
  await bringUpPlaced(cluster, 'what was there is in place again');
  return journal;
}
