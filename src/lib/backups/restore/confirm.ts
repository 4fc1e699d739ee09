import { readConfiguration } from '../../core/configuration.ts';
import { clusterAt, clusterExists } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { untilInStep } from '../../database/in-step.ts';
import { serverPid } from '../../database/lock-file.ts';
import { MAINTENANCE } from './exchange.ts';

/**
 * Whether the passive server of a pair has what was put in place here: all of that waited for nobody. True where there is no
 * other server that would have to. Whatever keeps it from being known is no: the restore counts all the same.
 */
export async function isConfirmed(confdir: string): Promise<boolean> {
  const configuration = await readConfiguration(confdir).catch(() => undefined);
  if (configuration === undefined || configuration.DATABASE_URLS !== undefined) return true;
  const cluster = clusterAt(configuration.PG_ROOTDIR, configuration.DB_PORT);
  if (!(await clusterExists(cluster)) || (await serverPid(cluster)) === undefined) return true;
  return withDatabase(cluster, untilInStep, MAINTENANCE).then(
    () => true,
    () => false,
  );
}
