/** All that a restore could change, so that tests can compare. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { realBindir } from './faults.ts';
import { asAccount, checksums, queryDatabase, type TestServer } from './sandbox.ts';

/** The content of the server's database as pg_dump writes it, without what waits in the job queue. */
export async function dumpOf(server: TestServer, database = 'keytrustee'): Promise<string> {
  const connection = ['-h', join(server.pgRootdir, 'run'), '-p', String(server.port), '-U', 'keytrustee'];
  const dump = await asAccount(join(await realBindir(), 'pg_dump'), [
    ...connection,
    '--exclude-schema=graphile_worker',
    database,
  ]);
  if (dump.status !== 0) throw new Error(dump.stderr);
  return dump.stdout.replace(/^\\(?:un)?restrict .*$/gm, '');
}

/** Databases by name, and whether one can connect to them. */
export async function databasesOf(server: TestServer): Promise<string[]> {
  const sql = "select string_agg(datname || ' ' || datallowconn, ',' order by datname) from pg_database";
  return (await queryDatabase(server, sql, 'postgres')).split(',');
}

/** Files, the database's content, databases by name, names beside the directory. */
export async function stateOf(server: TestServer) {
  return {
    files: await checksums(server.confdir),
    beside: await readdir(server.directory),
    dump: await dumpOf(server),
    databases: await databasesOf(server),
  };
}
