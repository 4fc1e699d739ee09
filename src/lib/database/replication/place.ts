import { join } from 'node:path';
import type { Cluster } from '../cluster.ts';

/** The role that the other server of a pair connects as, and the common name of both servers' certificates. */
export const REPLICATION_ROLE = 'keytrustee_ha';

/** The schema, in the database `postgres`, in which a pair keeps what both must know; so it is in no backup set. */
export const REPLICATION_SCHEMA = 'keytrustee_ha';

/** The database that the other server may connect to, beside replication itself. */
export const REPLICATION_DATABASE = 'postgres';

/** Where a host keeps what it needs for replication: beside its data directory, which a base copy or a rewind overwrites. */
export function replicationFiles({ root }: Pick<Cluster, 'root'>) {
  const directory = join(root, 'replication');
  return {
    directory,
    /** Who this host is. */
    node: join(directory, 'node.json'),
    certificate: join(directory, 'certificate.pem'),
    privateKey: join(directory, 'key.pem'),
    authority: join(directory, 'authority.pem'),
    /** What PostgreSQL reads, at the end of its postgresql.conf. */
    settings: join(root, 'replication.conf'),
  };
}
