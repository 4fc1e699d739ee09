import type { Account } from '../core/account.ts';
import { interruption } from '../core/interrupt.ts';
import type { Cluster } from './cluster.ts';
import { migrate } from './migrations.ts';
import { checkFence, type Fenced } from './replication/fence.ts';
import { readNode } from './replication/node.ts';
import { enrolSelf, type Self } from './replication/self.ts';
import { refuseEmptyCopy, refuseHalfJoined } from './replication/unjoined.ts';
import { whileRestarting } from './restarting.ts';
import { type RunningServer, startServer, stopAtOnce, stopServer } from './server.ts';
import { isExternal, type Source } from './source.ts';

/** A server whose tables are this version's. `server` is undefined where it was running already. */
export interface CurrentServer {
  server: RunningServer | undefined;
  /** Names of the migrations that were applied. */
  migrations: string[];
  /** Whether its pair goes on with another server; undefined where it does not. */
  fenced: Fenced | undefined;
}

/** What is known of a server beside where it lies, and who is told before it is fenced. */
export interface Surroundings {
  self?: Self | undefined;
  beforeFence?: Parameters<typeof checkFence>[1];
  /** An empty database is wanted also where the server was to be the passive one of another. */
  isAlone?: boolean;
}

async function bringUpToDate(
  cluster: Cluster,
  before: Fenced | undefined,
  { self, beforeFence, isAlone }: Surroundings,
): Promise<Omit<CurrentServer, 'server'>> {
  // Where no other server is on record yet, only the database knows of one.
  const isUnknown = before === undefined && (await readNode(cluster))?.peer === null;
  const fenced = isUnknown ? await checkFence(cluster, beforeFence) : before;
  if (fenced !== undefined) return { migrations: [], fenced };
  if (isAlone !== true) await refuseEmptyCopy(cluster);
  const migrations = await migrate(cluster);
  if (self !== undefined) await enrolSelf(cluster, self);
  return { migrations, fenced };
}

/**
 * Starts the server, unless others run it, and brings its tables up to this version. Where that fails, a server that this
 * started is stopped.
 */
export async function startCurrent(
  cluster: Source,
  account: Account,
  around: Surroundings = {},
): Promise<CurrentServer> {
  if (isExternal(cluster))
    return { server: undefined, migrations: await migrate(cluster), fenced: undefined };
  await refuseHalfJoined(cluster);
  const fenced = await checkFence(cluster, around.beforeFence);
  const server = await startServer(cluster, account);
  try {
    return { server, ...(await bringUpToDate(cluster, fenced, around)) };
  } catch (error) {
    if (server !== undefined) await stopAtOnce(server);
    throw error;
  }
}

async function restart(cluster: Cluster, account: Account, around: Surroundings): Promise<CurrentServer> {
  await stopServer(cluster, account);
  await refuseHalfJoined(cluster);
  const fenced = await checkFence(cluster, around.beforeFence);
  const server = await startServer(cluster, account);
  try {
    return { server, ...(await bringUpToDate(cluster, fenced, around)) };
  } catch (error) {
    if (interruption.aborted && server !== undefined) await stopAtOnce(server);
    throw error;
  }
}

/** Stops the server where it runs, and starts it. One whose tables are not this version's goes on running. */
export async function restartCurrent(
  cluster: Cluster,
  account: Account,
  around: Surroundings = {},
): Promise<CurrentServer> {
  return whileRestarting(cluster, () => restart(cluster, account, around));
}
