import { rm } from 'node:fs/promises';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { makePrivateDirectory } from '../../core/files.ts';
import type { Reporter } from '../../core/reporter.ts';
import { type Cluster, clusterExists } from '../../database/cluster.ts';
import { createCluster } from '../../database/cluster-create.ts';
import { withDatabase } from '../../database/connection.ts';
import { refuseUnwritable } from '../../database/gate.ts';
import { type RunningServer, startServer, stopAtOnce } from '../../database/server.ts';
import { MAINTENANCE } from './exchange.ts';

/** The number of the advisory lock that one restore holds: `ktrestor` in ASCII. */
const LOCK = '7742932176087838578';

/**
 * Lends the right to restore into a cluster to one run at a time; PostgreSQL takes it back when the run dies. Refused where the
 * server takes no writes: all that a restore writes goes to the passive server, too. `isAlone`: what is half exchanged is
 * settled also while that is away.
 */
export async function withRestoreLock<T>(
  cluster: Cluster,
  work: () => Promise<T>,
  isAlone = false,
): Promise<T> {
  return withDatabase(
    cluster,
    async (database) => {
      const query = 'select pg_try_advisory_lock($1) as locked';
      const { rows } = await database.query<{ locked: boolean }>(query, [LOCK]);
      if (rows[0]?.locked !== true)
        throw failure('locked', 'another restore of this server is running', 'wait until it has ended');
      await refuseUnwritable(database, isAlone);
      return work();
    },
    MAINTENANCE,
    // Interrupted, the work unwinds by itself, and keeps the lock until it has put everything back.
    { cleanUp: true },
  );
}

async function takeAway(server: RunningServer | undefined, made: string[]): Promise<void> {
  if (server !== undefined) await stopAtOnce(server);
  for (const path of made) await rm(path, { recursive: true, force: true });
}

/**
 * Makes and starts a cluster where that is needed, and lends it to one restore. When the work fails, a cluster that was
 * made for it is gone again, and a server that was started is stopped; not so while an exchange is still open, which
 * needs both.
 */
export async function withRunningCluster<T>(
  cluster: Cluster,
  account: Account,
  reporter: Reporter,
  work: () => Promise<T>,
  isOpen: () => Promise<boolean> = () => Promise.resolve(false),
): Promise<T> {
  const isNew = !(await clusterExists(cluster));
  const made = isNew ? [cluster.data] : [];
  let server: RunningServer | undefined;
  try {
    made.push(...(await makePrivateDirectory(cluster.root)).slice(0, 1));
    const text = isNew ? 'making and starting the database' : 'starting the database';
    server = await reporter.step(text, async () => {
      await createCluster(cluster, account);
      return startServer(cluster, account);
    });
    return await withRestoreLock(cluster, work, await isOpen());
  } catch (error) {
    if (!(await isOpen())) await takeAway(server, made);
    throw error;
  }
}
