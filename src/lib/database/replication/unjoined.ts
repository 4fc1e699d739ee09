import { join } from 'node:path';
import { failure } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import { type Cluster, clusterExists, DATABASE } from '../cluster.ts';
import { withDatabase } from '../connection.ts';
import { STANDBY_SIGNAL } from './base-copy.ts';
import { type Node, type Peer, readNode } from './node.ts';
import { REPLICATION_DATABASE } from './place.ts';

/** The command by which a server becomes the passive one of another. The port is named where it is not the joining one's own. */
export function joinCommand(joining: Pick<Peer, 'port'>, { host, port }: Peer, more = ''): string {
  const where = port === joining.port ? host : `${host}:${port}`;
  return `ktadmin ha join ${more}--active ${where}`;
}

async function isEmpty(cluster: Cluster): Promise<boolean> {
  return withDatabase(
    cluster,
    async (database) => {
      const { rows } = await database.query('select from pg_database where datname = $1', [DATABASE]);
      return rows.length === 0;
    },
    REPLICATION_DATABASE,
  );
}

/** What is said of a server that had begun to follow another one. */
export const cutOff = ({ host }: Peer) =>
  `this server was to become the passive one of ${host}, and that was cut off`;

/**
 * Refuses to start a server as whose passive one it has announced itself, and whose copy is not in place yet: what it has would be
 * served as if it were the pair's.
 */
export async function refuseHalfJoined(cluster: Cluster): Promise<void> {
  const node = await readNode(cluster);
  if (node?.role !== 'passive' || node.joining === undefined) return;
  if (!(await clusterExists(cluster)) || (await exists(join(cluster.data, STANDBY_SIGNAL)))) return;
  throw failure('state', cutOff(node.joining), joinCommand(cluster, node.joining));
}

function wayOut(cluster: Cluster, { joining, copyOf }: Node): [message: string, command: string] | undefined {
  if (joining !== undefined)
    return [`${cutOff(joining)}; it has no database yet`, joinCommand(cluster, joining)];
  if (copyOf === undefined) return undefined;
  const active = { host: copyOf, port: cluster.port };
  return [`this server is a copy of ${copyOf}, and has no database yet`, joinCommand(cluster, active)];
}

/** Refuses to make an empty database on a host that is to be the passive one of a pair. Its PostgreSQL runs. */
export async function refuseEmptyCopy(cluster: Cluster): Promise<void> {
  const node = await readNode(cluster);
  if (node?.role !== 'alone') return;
  const found = wayOut(cluster, node);
  if (found === undefined || !(await isEmpty(cluster))) return;
  const [message, command] = found;
  throw failure(
    'state',
    message,
    `${command}; where it is to be a server of its own: ktadmin db start --alone`,
  );
}
