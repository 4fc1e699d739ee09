import { access, constants } from 'node:fs/promises';
import { errorCode, KeyTrusteeError } from '../core/errors.ts';
import { freeSpace } from '../core/files.ts';
import { MEBIBYTE } from '../core/room.ts';
import type { Cluster } from '../database/cluster.ts';
import { withDatabase } from '../database/connection.ts';
import { requireCurrent } from '../database/migrations.ts';
import { critical, type Finding, fine, warning } from './diagnosis.ts';

/** Mebibytes with which something still can be done, and with which PostgreSQL or the audit trail may stop at any moment. */
const LITTLE = 256;
const NONE = 32;

/**
 * Judges a directory that the server writes to: whether it can, and how much. Below the floor, in mebibytes, the server
 * takes nothing more from clients, or what `consequence` says; below twice as much somebody should know.
 */
export async function checkDirectory(
  directory: string,
  floor: number,
  consequence = 'deposits and new clients are refused',
): Promise<Finding> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const reason = errorCode(error) === 'ENOENT' ? 'is missing' : 'cannot be written';
    return critical(`${directory} ${reason}`, `ls -ld ${directory}`);
  }
  const free = (await freeSpace(directory)) / MEBIBYTE;
  const said = `${directory} has ${Math.floor(free)} MiB free`;
  const look = `df -h ${directory}`;
  if (free < floor) {
    const refused = `less than FREE_SPACE_MEGABYTES (${floor}): ${consequence}`;
    return critical(`${said}, ${refused}`, `make room there, or lower the setting; ${look}`);
  }
  if (free < NONE) return critical(said, look);
  return free < Math.max(LITTLE, floor * 2) ? warning(said, look) : fine(said);
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
