import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from '../core/account.ts';
import { type ChildResult, childFailure } from '../core/child-result.ts';
import { failure } from '../core/errors.ts';
import { writeAtomically } from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { run, startFed } from '../core/process.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, clusterMajor } from './cluster.ts';
import { type Database, LOCAL_VARIABLES, withDatabase } from './connection.ts';
import { plainDump, takeEnd, takePiece } from './plain-dump.ts';

/**
 * The role that loads a dump which nobody signed. A dump is code: as the server's own role it could read files, run
 * programs and drop every database. This one may nothing but fill the database that it owns.
 */
export const IMPORT_ROLE = 'keytrustee_import';

const MAINTENANCE = 'postgres';
/** How often it is tried whether PostgreSQL has read its settings again. */
const ATTEMPTS = 200;

async function psqlProgram(cluster: Cluster): Promise<string> {
  return join((await findPostgres(await clusterMajor(cluster))).directory, 'psql');
}

function psqlArguments(cluster: Cluster, database: string): string[] {
  const where = ['-h', cluster.socketDirectory, '-p', String(cluster.port), '-U', IMPORT_ROLE, '-w'];
  // Errors of COPY quote the row, which may hold a secret, unless psql is terse.
  const settings = ['-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=terse', '-v', 'SHOW_CONTEXT=never'];
  return [...where, '-X', '-q', ...settings, '-o', '/dev/null', '-d', database];
}

/** Lets this account connect as the role: a line of pg_ident.conf, which stays and is of no use without the role. */
async function allowRole(cluster: Cluster, account: Account, database: Database): Promise<void> {
  const path = join(cluster.root, 'pg_ident.conf');
  const text = await readFile(path, 'utf8');
  const hasLine = new RegExp(`^keytrustee\\s.*\\s${IMPORT_ROLE}\\s*$`, 'm').test(text);
  if (hasLine) return;
  const line = `keytrustee "${account.name.replaceAll('"', '""')}" ${IMPORT_ROLE}\n`;
  await writeAtomically(path, `${text.replace(/\n?$/, '\n')}${line}`);
  await database.query('select pg_reload_conf()');
}

async function waitForRole(cluster: Cluster, account: Account): Promise<void> {
  const psql = await psqlProgram(cluster);
  const args = [...psqlArguments(cluster, MAINTENANCE), '-c', 'select 1'];
  for (let attempt = 1; ; attempt += 1) {
    checkInterruption();
    const answer = await run(psql, args, { home: account.home });
    if (answer.status === 0) return;
    if (attempt === ATTEMPTS) throw childFailure('psql', answer);
    await delay(50);
  }
}

/** Takes the role away; where a killed run left something that it owns, it may at least not connect. */
async function dropRole(database: Database): Promise<void> {
  await database
    .query(`drop role ${IMPORT_ROLE}`)
    .catch(() => database.query(`alter role ${IMPORT_ROLE} nologin`));
}

/** Lends the role, which exists only meanwhile. One run at a time: the restore's lock sees to that. */
export async function withImportRole<T>(
  cluster: Cluster,
  account: Account,
  work: () => Promise<T>,
): Promise<T> {
  return withDatabase(
    cluster,
    async (database) => {
      const { rowCount } = await database.query('select from pg_roles where rolname = $1', [IMPORT_ROLE]);
      await database.query(`${rowCount === 0 ? 'create' : 'alter'} role ${IMPORT_ROLE} login`);
      try {
        await allowRole(cluster, account, database);
        await waitForRole(cluster, account);
        return await work();
      } finally {
        await dropRole(database);
      }
    },
    MAINTENANCE,
    { cleanUp: true, isLocal: true },
  );
}

function explainPsql(result: ChildResult): Error {
  if (/invalid command \\restrict/.test(result.stderr)) {
    return failure(
      'state',
      'psql is too old to load a dump that is not signed: it cannot be kept from obeying commands in it',
      "update PostgreSQL to this branch's newest version",
    );
  }
  if (/backslash commands are restricted/.test(result.stderr))
    return failure('untrusted', 'the dump holds a command for psql itself, which pg_dump never writes');
  return childFailure('psql', result);
}

async function* prepared(dump: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const reader = plainDump();
  // Nobody can end the restriction without the word: `\!` and its like are refused from here on (hazard PG-13).
  yield Buffer.from(`\\restrict ${randomBytes(32).toString('hex')}\n`);
  for await (const piece of dump) yield takePiece(reader, piece);
  yield takeEnd(reader);
}

/**
 * Loads a plain dump that nobody signed into an empty database that the import role owns, in one transaction. What a dump
 * of another server says of its owners and rights is left out.
 */
export async function loadUnsigned(
  cluster: Cluster,
  account: Account,
  database: string,
  dump: AsyncIterable<Buffer>,
): Promise<void> {
  const args = [...psqlArguments(cluster, database), '-1', '-f', '-'];
  const how = { home: account.home, variables: LOCAL_VARIABLES };
  const child = await startFed(await psqlProgram(cluster), args, how);
  const fed = await pipeline(prepared(dump), child.stdin).catch((error: unknown) => error);
  const result = await child.done;
  if (result.status !== 0) throw explainPsql(result);
  if (fed !== undefined) throw fed;
}

/**
 * Gives what the import role owns, a database among it, to another role. Settings that a dump may have made for the
 * database are taken back first, from outside of it.
 */
export async function giveTo(cluster: Cluster, database: string, role: string): Promise<void> {
  await withDatabase(
    cluster,
    (connection) => connection.query(`alter database ${connection.escapeIdentifier(database)} reset all`),
    MAINTENANCE,
    { isLocal: true },
  );
  await withDatabase(
    cluster,
    (connection) =>
      connection.query(`reassign owned by ${IMPORT_ROLE} to ${connection.escapeIdentifier(role)}`),
    database,
    { isLocal: true },
  );
}
