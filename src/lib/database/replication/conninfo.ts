import type { Cluster } from '../cluster.ts';
import type { Peer } from './node.ts';
import { REPLICATION_DATABASE, REPLICATION_ROLE, replicationFiles } from './place.ts';

/** A value in PostgreSQL's connection strings. */
const quoted = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/**
 * How PostgreSQL's own programs reach the other server: by TLS with the certificates of the pair, the other's name checked.
 * There is no password in it, so it may stand in an argument.
 */
export function connectionString(cluster: Cluster, peer: Peer, more: Record<string, string> = {}): string {
  const files = replicationFiles(cluster);
  const fields = {
    host: peer.host,
    port: String(peer.port),
    user: REPLICATION_ROLE,
    dbname: REPLICATION_DATABASE,
    sslmode: 'verify-full',
    sslrootcert: files.authority,
    sslcert: files.certificate,
    sslkey: files.privateKey,
    ssl_min_protocol_version: 'TLSv1.3',
    gssencmode: 'disable',
    connect_timeout: '5',
    keepalives_idle: '5',
    keepalives_interval: '2',
    keepalives_count: '3',
    tcp_user_timeout: '6000',
    ...more,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(' ');
}
