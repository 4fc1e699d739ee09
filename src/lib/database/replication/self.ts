import type { Configuration } from '../../core/configuration.ts';
import { PROGRAM } from '../../core/version.ts';
import type { Cluster } from '../cluster.ts';
import { type Database, withDatabase } from '../connection.ts';
import { readNode } from './node.ts';
import { enrol, type PairNode, readNodes } from './pair.ts';
import { REPLICATION_DATABASE } from './place.ts';

/** What a server tells the other one of itself; its name for PostgreSQL stands in node.json. */
export type Self = Omit<PairNode, 'id'>;

/** What a server with these settings tells of itself. */
export function selfOf(configuration: Configuration): Self {
  const { EXTERNAL_ADDRESS: host, DB_PORT: port, PORT: httpsPort, LOCAL_FINGERPRINT } = configuration;
  return { host, port, httpsPort, fingerprint: LOCAL_FINGERPRINT, version: PROGRAM };
}

/** Whether what the pair knows of a server is what it says of itself. */
export const isSame = (known: PairNode, self: Self) =>
  (Object.keys(self) as (keyof Self)[]).every((key) => known[key] === self[key]);

async function write(database: Database, own: PairNode): Promise<void> {
  const { rows } = await database.query<{ passive: boolean }>('select pg_is_in_recovery() as passive');
  if (rows[0]?.passive !== false) return;
  const known = (await readNodes(database)).find(({ id }) => id === own.id);
  if (known !== undefined && isSame(known, own)) return;
  // Nothing waits for a passive that is away: who this server is concerns nobody's keys.
  await database.query('set synchronous_commit = local');
  await enrol(database, own);
}

/** Has the pair know how this server is reached, and of which key and version it is, where that is not known already. */
export async function enrolSelf(cluster: Cluster, self: Self): Promise<void> {
  const node = await readNode(cluster);
  if (node === undefined) return;
  await withDatabase(cluster, (database) => write(database, { id: node.id, ...self }), REPLICATION_DATABASE);
}
