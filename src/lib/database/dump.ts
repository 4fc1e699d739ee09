import { join } from 'node:path';
import type { Account } from '../core/account.ts';
import { type FedChild, type StreamingChild, startFed, stream } from '../core/process.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, clusterMajor, DATABASE, ROLE } from './cluster.ts';
import { type Database, LOCAL_VARIABLES } from './connection.ts';
import { libpqVariables } from './host.ts';
import { JOB_SCHEMA } from './jobs.ts';
import { isExternal, type Source } from './source.ts';

/** What begins and ends every complete plain dump, within its first and last lines. */
const HEADER = '-- PostgreSQL database dump\n';
const TRAILER = '-- PostgreSQL database dump complete\n';

/** How far from its beginning and its end they can stand at the farthest (newer versions write a token too), bytes. */
export const DUMP_WINDOW = 1024;

/** Whether the beginning and the end of a plain dump show that it is whole (hazards PG-1, PG-17). */
export function dumpIsComplete(start: Buffer, end: Buffer): boolean {
  return start.toString('latin1').includes(HEADER) && end.toString('latin1').includes(TRAILER);
}

/** How PostgreSQL's programs reach the server; they never ask for a password. */
export function connectionArguments(cluster: Cluster): string[] {
  return ['-h', cluster.socketDirectory, '-p', String(cluster.port), '-U', ROLE, '-w'];
}

/** The path of one of PostgreSQL's programs, of the cluster's own major version. */
export async function postgresProgram(cluster: Cluster, name: string): Promise<string> {
  return join((await findPostgres(await clusterMajor(cluster))).directory, name);
}

/** A part of a dump: everything before the data and the data itself, or the constraints and indexes behind it. */
export type DumpPart = 'tables' | 'constraints';

const SECTIONS: Record<DumpPart, string[]> = {
  tables: ['--section=pre-data', '--section=data'],
  constraints: ['--section=post-data'],
};

/** The name of a table as a pattern of pg_dump that fits it alone. */
const onlyTable = (name: string) => `public."${name.replaceAll('"', '""')}"`;

/** Starts a plain SQL dump of one part of the server's database, as seen by an exported snapshot. */
export async function dumpDatabase(
  cluster: Cluster,
  account: Account,
  snapshot: string,
  part: DumpPart,
  withoutData: string[],
): Promise<StreamingChild> {
  const options = [
    '--format=plain',
    '--encoding=UTF8',
    `--exclude-schema=${JOB_SCHEMA}`,
    '--lock-wait-timeout=60000',
    `--snapshot=${snapshot}`,
    ...SECTIONS[part],
    ...withoutData.map((name) => `--exclude-table-data=${onlyTable(name)}`),
  ];
  const args = [...connectionArguments(cluster), ...options, DATABASE];
  const child = await stream(await postgresProgram(cluster, 'pg_dump'), args, { home: account.home });
  child.stdin.end();
  return child;
}

/** Options of a psql that loads: any error stops it, and what queries answer is not printed. */
const LOADING = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null'];

/** Ends with this process, however that ends: a psql that waits for what nobody writes any more would wait for ever. */
async function psql(cluster: Cluster, account: Account, options: string[]): Promise<FedChild> {
  const program = [await postgresProgram(cluster, 'psql'), ...connectionArguments(cluster)];
  return startFed('setpriv', ['--pdeathsig', 'KILL', ...program, ...LOADING, ...options], {
    home: account.home,
    variables: LOCAL_VARIABLES,
  });
}

/** Starts psql reading SQL into a database in one transaction, which leaves it as it was when anything fails. */
export async function loadIntoDatabase(
  cluster: Cluster,
  account: Account,
  database: string,
): Promise<FedChild> {
  return psql(cluster, account, ['-1', '-d', database, '-f', '-']);
}

/** Starts psql on a script that sees to its transaction itself. */
export async function runScript(
  cluster: Cluster,
  account: Account,
  database: string,
  script: string,
): Promise<FedChild> {
  const child = await psql(cluster, account, ['-d', database, '-f', script]);
  child.stdin.end();
  return child;
}

/** How an interactive psql is started. */
export interface InteractivePsql {
  program: string;
  args: string[];
  /** With the password for a database elsewhere, which must not be an argument. */
  variables: Record<string, string>;
}

/** The arguments and program of an interactive psql. */
export async function interactivePsql(source: Source, args: string[]): Promise<InteractivePsql> {
  if (!isExternal(source)) {
    const words = [...connectionArguments(source), '-d', DATABASE, ...args];
    return { program: await postgresProgram(source, 'psql'), args: words, variables: {} };
  }
  const found = await source.route.primary();
  const { host, port, user, database } = found.host;
  const words = ['-h', host, '-p', String(port), '-U', user, '-w', '-d', database, ...args];
  const program = join((await findPostgres()).directory, 'psql');
  return { program, args: words, variables: libpqVariables(found) };
}

/** Counts the rows of every table of the server, by its name. */
export async function countRows(database: Database): Promise<Record<string, number>> {
  const { rows } = await database.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname collate \"C\"",
  );
  const counts: Record<string, number> = {};
  for (const { name } of rows) {
    const answer = await database.query<{ count: string }>(
      `select count(*) from only public.${database.escapeIdentifier(name)}`,
    );
    counts[name] = Number(answer.rows[0]?.count);
  }
  return counts;
}
