import { hostName } from '../core/database-url.ts';
import { KeyTrusteeError } from '../core/errors.ts';
import { withDatabase } from '../database/connection.ts';
import { requireCurrent } from '../database/migrations.ts';
import { whatItIs } from '../database/no-host.ts';
import type { ExternalCluster } from '../database/source.ts';
import { critical, type Finding, fine, warning } from './diagnosis.ts';

const SEE = 'see docs/external-database.md';

/** What is asked of the host that takes writes. */
interface Promised {
  commit: string;
  names: string;
}

/** What the cluster itself promises of a commit, which this program leaves as it is. */
function judgePromise({ commit, names }: Promised): string | undefined {
  if (commit === 'off') return 'synchronous_commit is off: what was acknowledged can be lost';
  if (names === '') return 'synchronous_standby_names is empty: what was acknowledged is lost with one host';
  return commit === 'local' ? 'synchronous_commit is local: no other host is waited for' : undefined;
}

/** Judges a database elsewhere: whether one of its hosts takes writes and has our tables, and what becomes of them without it. */
export async function checkHosts(source: ExternalCluster): Promise<Finding> {
  try {
    const promised = await withDatabase(source, async (database) => {
      await requireCurrent(database);
      const { rows } = await database.query<Promised>(
        `select current_setting('synchronous_commit') as commit,
                current_setting('synchronous_standby_names') as names`,
      );
      return rows[0];
    });
    const all = await source.route.survey({ patient: true });
    const told = all.map((answer) => `${hostName(answer.host)}: ${whatItIs(answer)}`).join('; ');
    if (all.some((answer) => 'error' in answer))
      return warning(told, 'see to the hosts of the database cluster');
    const doubt = promised === undefined ? undefined : judgePromise(promised);
    return doubt === undefined ? fine(told) : warning(`${told}; ${doubt}`, SEE);
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    return critical(error.message, error.hint ?? null);
  }
}
