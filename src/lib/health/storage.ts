import { access, constants, statfs } from 'node:fs/promises';
import { errorCode, KeyTrusteeError } from '../core/errors.ts';
import type { Cluster } from '../database/cluster.ts';
import { withDatabase } from '../database/connection.ts';
import { requireCurrent } from '../database/migrations.ts';
import { critical, type Finding, fine, warning } from './diagnosis.ts';

const MEBIBYTE = 1024 * 1024;

/** Free space with which something still can be done, and with which PostgreSQL or the audit trail may stop at any moment. */
const LITTLE = 256 * MEBIBYTE;
const NONE = 32 * MEBIBYTE;

/** Judges a directory that the server writes to: whether it can, and how much. */
export async function checkDirectory(directory: string): Promise<Finding> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const reason = errorCode(error) === 'ENOENT' ? 'is missing' : 'cannot be written';
    return critical(`${directory} ${reason}`, `ls -ld ${directory}`);
  }
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const said = `${directory} has ${Math.floor(free / MEBIBYTE)} MiB free`;
  if (free < NONE) return critical(said, `df -h ${directory}`);
  return free < LITTLE ? warning(said, `df -h ${directory}`) : fine(said);
}

/** Judges the database: whether it answers, and has the tables of this version. */
export async function checkCluster(cluster: Cluster): Promise<Finding> {
  try {
    return await withDatabase(cluster, async (database) => {
      await requireCurrent(database);
      const { rows } = await database.query<{ passive: boolean }>('select pg_is_in_recovery() as passive');
      return fine(rows[0]?.passive === true ? 'answers; it is passive' : 'answers');
    });
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    return critical(error.message, error.hint ?? null);
  }
}

/** Judges the mails: whether some were given up. */
export function judgeMails(givenUp: number): Finding {
  if (givenUp === 0) return fine('none was given up');
  const which = givenUp === 1 ? '1 was' : `${givenUp} were`;
  return warning(`${which} given up`, 'ktadmin mail queue shows why; ktadmin mail retry');
}
