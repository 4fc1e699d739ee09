import { join } from 'node:path';
import type { Account } from '../core/account.ts';
import { type StreamingChild, stream } from '../core/process.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, clusterMajor, DATABASE, ROLE } from './cluster.ts';
import type { Database } from './connection.ts';

/** What ends every complete plain dump, within its last lines. */
const TRAILER = '-- PostgreSQL database dump complete';

/** How many bytes from the end the trailer can stand at the farthest (newer versions write a token after it). */
export const TRAILER_WINDOW = 1024;

/** Whether the end of a plain dump shows that pg_dump finished it (hazards PG-1, PG-17). */
export function dumpIsComplete(end: Buffer): boolean {
  return end.toString('latin1').includes(TRAILER);
}

function connectionArguments(cluster: Cluster): string[] {
  return ['-h', cluster.socketDirectory, '-p', String(cluster.port), '-U', ROLE, '-w'];
}

async function program(cluster: Cluster, name: string): Promise<string> {
  return join((await findPostgres(await clusterMajor(cluster))).directory, name);
}

/** Starts a plain SQL dump of the server's database, as seen by an exported snapshot. */
export async function dumpDatabase(
  cluster: Cluster,
  account: Account,
  snapshot: string,
): Promise<StreamingChild> {
  const options = [
    '--format=plain',
    '--encoding=UTF8',
    '--lock-wait-timeout=60000',
    `--snapshot=${snapshot}`,
  ];
  const args = [...connectionArguments(cluster), ...options, DATABASE];
  return stream(await program(cluster, 'pg_dump'), args, { home: account.home });
}

/** Starts psql reading SQL into a database: any error stops it and leaves the database as it was. */
export async function loadIntoDatabase(
  cluster: Cluster,
  account: Account,
  database: string,
): Promise<StreamingChild> {
  const options = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-1', '-o', '/dev/null', '-d', database, '-f', '-'];
  return stream(await program(cluster, 'psql'), [...connectionArguments(cluster), ...options], {
    home: account.home,
  });
}

/** The arguments and program of an interactive psql. */
export async function interactivePsql(cluster: Cluster, args: string[]): Promise<[string, string[]]> {
  return [await program(cluster, 'psql'), [...connectionArguments(cluster), '-d', DATABASE, ...args]];
}

/** Counts the rows of every table of the server, by its name. */
export async function countRows(database: Database): Promise<Record<string, number>> {
  const { rows } = await database.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname collate \"C\"",
  );
  const counts: Record<string, number> = {};
  for (const { name } of rows) {
    const answer = await database.query<{ count: string }>(
      `select count(*) from public.${database.escapeIdentifier(name)}`,
    );
    counts[name] = Number(answer.rows[0]?.count);
  }
  return counts;
}
