import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_DATABASE_PORT } from '../core/config.ts';
import { errorCode, failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';

/** Of a server that had one, the set is what is wanted; an empty database would be backed up like any other. */
const NO_CLUSTER_HINT = 'ktadmin restore FILE brings a lost database back; ktadmin init makes an empty one';

/** Name of the database and of the role that owns it, as the original product has them. */
export const DATABASE = 'keytrustee';
export const ROLE = 'keytrustee';

/** The longest path of a unix socket that the kernel takes, in bytes. */
const SOCKET_PATH_LIMIT = 107;

/** The private PostgreSQL cluster of a server: everything of it lies below `root`. */
export interface Cluster {
  root: string;
  /** PGDATA. What a base backup or a rewind overwrites; so nothing of this host's own lies in it. */
  data: string;
  socketDirectory: string;
  logDirectory: string;
  port: number;
}

/** The parts of a cluster whose root and port are known. */
export function clusterAt(root: string, port: number): Cluster {
  return {
    root,
    port,
    data: join(root, 'data'),
    socketDirectory: join(root, 'run'),
    logDirectory: join(root, 'log'),
  };
}

/** Refuses a root whose socket could never be made. */
export function checkSocketPath(cluster: Cluster): void {
  const path = join(cluster.socketDirectory, `.s.PGSQL.${cluster.port}.lock`);
  const excess = Buffer.byteLength(path) - SOCKET_PATH_LIMIT;
  if (excess > 0) {
    throw failure(
      'usage',
      `${cluster.root} is ${excess} bytes too long for a unix socket below it`,
      'choose a shorter --pg-rootdir',
    );
  }
}

/** Names of the data directory while `ktadmin ha rejoin` rewinds it, and when that is done: under its own, half of it could be started. */
export function rewindPlaces({ root }: Pick<Cluster, 'root'>) {
  return { rewinding: join(root, '.rewinding'), rewound: join(root, '.rewound') };
}

/** Refuses to start, or to make anew, a cluster whose data directory was being rewound. */
export async function refuseHalfRewound(cluster: Cluster): Promise<void> {
  const { rewinding, rewound } = rewindPlaces(cluster);
  if (!(await exists(rewinding)) && !(await exists(rewound))) return;
  throw failure('state', `${cluster.data} was being rewound when that was cut off`, 'ktadmin ha rejoin');
}

/** Whether the data directory of a cluster has been made. */
export async function clusterExists(cluster: Cluster): Promise<boolean> {
  return exists(join(cluster.data, 'PG_VERSION'));
}

/** The major version that made a cluster's data directory. */
export async function clusterMajor(cluster: Cluster): Promise<number> {
  try {
    return Number.parseInt(await readFile(join(cluster.data, 'PG_VERSION'), 'utf8'), 10);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    await refuseHalfRewound(cluster);
    throw failure('state', `${cluster.root} holds no PostgreSQL cluster`, NO_CLUSTER_HINT);
  }
}

/** The port that a `postgresql.conf` names; of several the last counts, as for PostgreSQL itself. */
export function portSetting(text: string): number | undefined {
  const port = [...text.matchAll(/^[ \t]*port(?:[ \t]*=[ \t]*|[ \t]+)'?(\d+)'?/gim)].at(-1)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** Reads the port out of a cluster's own settings, for commands that are given nothing but its root. */
export async function clusterFromRoot(root: string): Promise<Cluster> {
  const text = await readFile(join(root, 'postgresql.conf'), 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined && !(await exists(join(root, 'data')))) {
    throw failure('state', `${root} holds no PostgreSQL cluster`, NO_CLUSTER_HINT);
  }
  return clusterAt(root, portSetting(text ?? '') ?? DEFAULT_DATABASE_PORT);
}
