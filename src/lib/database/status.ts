import { hostName } from '../core/database-url.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, clusterMajor } from './cluster.ts';
import { withDatabase } from './connection.ts';
import { serverPid } from './lock-file.ts';
import { whatItIs } from './no-host.ts';
import type { ExternalCluster } from './source.ts';

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

/** What the hosts of a database elsewhere are. It runs where one of them takes writes. */
export async function hostsStatus({ route }: ExternalCluster) {
  const all = await route.survey({ patient: true });
  const hosts = all.map((answer) => ({ name: hostName(answer.host), says: whatItIs(answer) }));
  return { running: all.some((answer) => 'config' in answer && !answer.isPassive), hosts };
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
