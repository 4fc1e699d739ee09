import { mkdtemp, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, sep } from 'node:path';
import { abandonedDirectories, temporaryPrefix } from '../../core/abandoned.ts';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { removeTree } from '../../core/files.ts';
import { reached } from '../../core/steps.ts';
import { type Cluster, clusterAt } from '../../database/cluster.ts';
import { createCluster } from '../../database/cluster-create.ts';
import { withDatabase } from '../../database/connection.ts';
import { serverPid } from '../../database/lock-file.ts';
import { startServer, stopAtOnce, stopServer } from '../../database/server.ts';
import { MAINTENANCE } from '../restore/exchange.ts';

/** A place of a drill's own: a cluster that is made there, and where the configuration goes. */
export interface Scratch {
  cluster: Cluster;
  confdir: string;
}

const KIND = 'ktdrill';

/** Where a path leads; itself where nothing is there. */
const real = (path: string) => realpath(path).catch(() => path);

/** Refuses a place that lies in a directory of a server (hazard PG-23). */
export async function refuseLive(place: string, live: string[]): Promise<void> {
  const own = (await real(place)) + sep;
  for (const directory of live)
    if (own.startsWith((await real(directory)) + sep))
      throw failure(
        'usage',
        `${place} belongs to the server in ${directory}`,
        'name another one: TMPDIR=DIR',
      );
}

/** A port that nothing listens on: it names the socket, and no TCP is opened. */
async function unusedPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer((socket) => socket.destroy());
    probe.once('error', reject);
    probe.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/**
 * Takes away what killed drills of this account left. A server is ended only where its lock file names it and it works in
 * that very directory.
 */
async function sweepAbandoned(place: string, prefix: string, account: Account): Promise<void> {
  for (const directory of await abandonedDirectories(place, prefix)) {
    const cluster = clusterAt(join(directory, 'db'), 0);
    if ((await serverPid(cluster)) !== undefined) await stopServer(cluster, account);
    await removeTree(directory);
  }
}

/** Refuses to go on when what answers is not the server that was started. */
async function checkAnswering(cluster: Cluster): Promise<void> {
  const query =
    "select current_setting('data_directory') as data, current_setting('unix_socket_directories') as socket";
  const { rows } = await withDatabase(
    cluster,
    (database) => database.query<{ data: string; socket: string }>(query),
    MAINTENANCE,
  );
  const [found] = rows;
  if (found?.data === cluster.data && found.socket.replaceAll('"', '') === cluster.socketDirectory) return;
  throw failure('bug', 'another server than that of the drill answers');
}

async function withServer<T>(cluster: Cluster, account: Account, work: () => Promise<T>): Promise<T> {
  const server = await startServer(cluster, account);
  if (server === undefined) throw failure('bug', `a server runs in ${cluster.root} already`);
  try {
    await checkAnswering(cluster);
    reached('drill-cluster-started');
    return await work();
  } finally {
    await stopAtOnce(server);
  }
}

/**
 * Lends a directory with a cluster that runs, private and with a short path (hazard GP-14), and takes all of it away,
 * however the work ended; what killed drills left goes first.
 */
export async function withScratch<T>(
  place: string,
  account: Account,
  work: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  const prefix = await temporaryPrefix(KIND);
  await sweepAbandoned(place, prefix, account);
  const directory = await mkdtemp(join(await real(place), `${prefix}${process.pid}-`));
  try {
    reached('drill-scratch-made');
    const cluster = clusterAt(join(directory, 'db'), await unusedPort());
    await createCluster(cluster, account);
    return await withServer(cluster, account, () => work({ cluster, confdir: join(directory, 'confdir') }));
  } finally {
    await removeTree(directory);
  }
}
