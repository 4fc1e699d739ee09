import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../../core/errors.ts';
import type { Cluster } from '../cluster.ts';
import { type Database, withDatabase } from '../connection.ts';
import { serverPid } from '../lock-file.ts';
import type { Role } from './node.ts';
import { REPLICATION_DATABASE } from './place.ts';

/** How long PostgreSQL may take to read its settings; milliseconds. */
const LIMIT = 10_000;
const POLL = 20;

const roleOf = async (database: Database) => {
  const { rows } = await database.query<{ role: string | null }>(
    "select current_setting('keytrustee.role', true) as role",
  );
  return rows[0]?.role;
};

/** Has a server that runs read its settings again, and waits until new connections have the role that stands in them. */
export async function reloadSettings(cluster: Cluster, role: Role): Promise<void> {
  const pid = await serverPid(cluster);
  if (pid === undefined) return;
  process.kill(pid, 'SIGHUP');
  for (const end = performance.now() + LIMIT; ; await delay(POLL)) {
    if ((await withDatabase(cluster, roleOf, REPLICATION_DATABASE)) === role) return;
    if (performance.now() > end) {
      throw failure(
        'failed',
        'PostgreSQL did not read its new settings',
        `its log is in ${cluster.logDirectory}; ktadmin db restart`,
      );
    }
  }
}
