import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Account } from '../../core/account.ts';
import { childFailure } from '../../core/child-result.ts';
import { failure } from '../../core/errors.ts';
import type { Cluster } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { copyLine, copyTables } from '../../database/copy.ts';
import { listTables, type Table } from '../../database/tables.ts';
import type { SetContents } from './contents.ts';

/** SHA-256 of a table in a database, as the file of a set that holds it would have. */
async function digestOfTable(
  cluster: Cluster,
  account: Account,
  database: string,
  table: Table,
): Promise<string> {
  const hash = createHash('sha256').update(copyLine(table));
  const child = await copyTables(cluster, account, database, [table]);
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) hash.update(chunk);
  const result = await child.done;
  if (result.status !== 0) throw childFailure('psql', result);
  return hash.digest('hex');
}

/** The digest of each table that a set holds as a binary copy, as its signed manifest has it. */
function expectedDigests({ manifest }: SetContents): Map<string, string | null> {
  const members = new Map(manifest.members.map(({ path, sha256 }) => [path, sha256]));
  const copies = manifest.database.parts.filter((path) => path.endsWith('.copy'));
  return new Map(copies.map((path) => [basename(path, '.copy'), members.get(path) ?? null]));
}

/**
 * Copies the tables of a database that was just loaded out of it again, and compares the bytes with those of the set:
 * every value is what it was when the set was made. Not to be called once anything has been changed in it. Returns the
 * digests by table; tables that went as text have none.
 */
export async function checkTables(
  cluster: Cluster,
  account: Account,
  database: string,
  contents: SetContents,
): Promise<Record<string, string>> {
  const tables = await withDatabase(cluster, listTables, database);
  const digests: Record<string, string> = {};
  for (const [name, expected] of expectedDigests(contents)) {
    const table = tables.find((one) => one.name === name);
    const found = table === undefined ? undefined : await digestOfTable(cluster, account, database, table);
    if (found === undefined || found !== expected)
      throw failure(
        'untrusted',
        `table ${name} is not as it was when the set was made`,
        'use another backup set',
      );
    digests[name] = found;
  }
  return digests;
}
