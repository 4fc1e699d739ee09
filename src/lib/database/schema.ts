import { join } from 'node:path';
import type { Account } from '../core/account.ts';
import { runChecked } from '../core/process.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, clusterMajor, ROLE } from './cluster.ts';

/**
 * Everything that a database holds besides rows, as pg_dump writes it, without owners and rights. Two databases with the
 * same text hold the same tables, and the same code or none.
 */
export async function schemaText(cluster: Cluster, account: Account, name: string): Promise<string> {
  const { directory } = await findPostgres(await clusterMajor(cluster));
  const where = ['-h', cluster.socketDirectory, '-p', String(cluster.port), '-U', ROLE, '-w'];
  const what = ['--schema-only', '--no-owner', '--no-privileges', '--lock-wait-timeout=60000'];
  const text = await runChecked(join(directory, 'pg_dump'), [...where, ...what, name], {
    home: account.home,
  });
  return text
    .split('\n')
    .filter((line) => line !== '' && !/^(?:--|\\(?:un)?restrict )/.test(line))
    .join('\n');
}
