import type { Account } from '../core/account.ts';
import { type Cluster, DATABASE } from '../database/cluster.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { startServer } from '../database/server.ts';

async function hasTable(cluster: Cluster): Promise<boolean> {
  const present = async (database: Database) => {
    const { rows } = await database.query('select from pg_database where datname = $1', [DATABASE]);
    return rows.length > 0;
  };
  if (!(await withDatabase(cluster, present, 'postgres'))) return false;
  return withDatabase(cluster, async (database) => {
    const { rows } = await database.query<{ present: boolean }>(
      "select to_regclass('public.organization') is not null as present",
    );
    return rows[0]?.present === true;
  });
}

/** How many organizations a server has. One that does not run is started for it; a server without any has nobody's keys. */
export async function countOwn(cluster: Cluster, account: Account): Promise<number> {
  await startServer(cluster, account);
  if (!(await hasTable(cluster))) return 0;
  return withDatabase(cluster, async (database) => {
    const { rows } = await database.query<{ count: string }>('select count(*) from public.organization');
    return Number(rows[0]?.count);
  });
}
