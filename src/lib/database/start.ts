import type { Account } from '../core/account.ts';
import { interruption } from '../core/interrupt.ts';
import type { Cluster } from './cluster.ts';
import { migrate } from './migrations.ts';
import { enrolSelf, type Self } from './replication/self.ts';
import { type RunningServer, startServer, stopAtOnce, stopServer } from './server.ts';

/** A server whose tables are this version's. `server` is undefined where it was running already. */
export interface CurrentServer {
  server: RunningServer | undefined;
  /** Names of the migrations that were applied. */
  migrations: string[];
}

async function bringUpToDate(cluster: Cluster, self: Self | undefined): Promise<string[]> {
  const migrations = await migrate(cluster);
  if (self !== undefined) await enrolSelf(cluster, self);
  return migrations;
}

/** Starts the server and brings its tables up to this version. Where that fails, a server that this started is stopped. */
export async function startCurrent(cluster: Cluster, account: Account, self?: Self): Promise<CurrentServer> {
  const server = await startServer(cluster, account);
  try {
    return { server, migrations: await bringUpToDate(cluster, self) };
  } catch (error) {
    if (server !== undefined) await stopAtOnce(server);
    throw error;
  }
}

/** Stops the server where it runs, and starts it. One whose tables are not this version's goes on running. */
export async function restartCurrent(
  cluster: Cluster,
  account: Account,
  self?: Self,
): Promise<CurrentServer> {
  await stopServer(cluster, account);
  const server = await startServer(cluster, account);
  try {
    return { server, migrations: await bringUpToDate(cluster, self) };
  } catch (error) {
    if (interruption.aborted && server !== undefined) await stopAtOnce(server);
    throw error;
  }
}
