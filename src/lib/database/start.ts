import type { Account } from '../core/account.ts';
import { interruption } from '../core/interrupt.ts';
import type { Cluster } from './cluster.ts';
import { migrate } from './migrations.ts';
import { type RunningServer, startServer, stopAtOnce, stopServer } from './server.ts';

/** A server whose tables are this version's. `server` is undefined where it was running already. */
export interface CurrentServer {
  server: RunningServer | undefined;
  /** Names of the migrations that were applied. */
  migrations: string[];
}

/** Starts the server and brings its tables up to this version. Where that fails, a server that this started is stopped. */
export async function startCurrent(cluster: Cluster, account: Account): Promise<CurrentServer> {
  const server = await startServer(cluster, account);
  try {
    return { server, migrations: await migrate(cluster) };
  } catch (error) {
    if (server !== undefined) await stopAtOnce(server);
    throw error;
  }
}

/** Stops the server where it runs, and starts it. One whose tables are not this version's goes on running. */
export async function restartCurrent(cluster: Cluster, account: Account): Promise<CurrentServer> {
  await stopServer(cluster, account);
  const server = await startServer(cluster, account);
  try {
    return { server, migrations: await migrate(cluster) };
  } catch (error) {
    if (interruption.aborted && server !== undefined) await stopAtOnce(server);
    throw error;
  }
}
