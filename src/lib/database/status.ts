import { findPostgres } from './binaries.ts';
import { type Cluster, clusterMajor } from './cluster.ts';
import { withDatabase } from './connection.ts';
import { serverPid } from './lock-file.ts';

/** What there is to know of a cluster. `version` is the server's where it runs, else that of the programs that would run it. */
export interface ClusterStatus {
  running: boolean;
  pid: number | null;
  port: number;
  socketDirectory: string;
  dataDirectory: string;
  version: string;
}

/** Looks whether a cluster runs, and what it is. */
export async function clusterStatus(cluster: Cluster): Promise<ClusterStatus> {
  const pid = await serverPid(cluster);
  const major = await clusterMajor(cluster);
  const version = pid === undefined ? undefined : await serverVersion(cluster);
  return {
    running: version !== undefined,
    pid: pid ?? null,
    port: cluster.port,
    socketDirectory: cluster.socketDirectory,
    dataDirectory: cluster.data,
    version: version ?? (await findPostgres(major)).version,
  };
}

async function serverVersion(cluster: Cluster): Promise<string | undefined> {
  try {
    const ask = (database: { query(sql: string): Promise<{ rows: unknown[] }> }) =>
      database.query('show server_version');
    const { rows } = await withDatabase(cluster, ask, 'postgres');
    return (rows[0] as { server_version: string }).server_version;
  } catch {
    return undefined;
  }
}
