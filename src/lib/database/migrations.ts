import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, failure } from '../core/errors.ts';
import { sweep, withStagingDirectory } from '../core/files.ts';
import { load } from '../core/lazy.ts';
import { type Cluster, DATABASE, ROLE } from './cluster.ts';
import { type Database, withDatabase } from './connection.ts';
import { ensureJobs, hasJobs } from './jobs.ts';
import initial from './migrations/0001-initial.sql';
import server from './migrations/0002-server.sql';
import { ensureCatalogue } from './replication/catalogue.ts';
import { isExternal, type Source } from './source.ts';

/** Ordered, and never edited after they have landed. */
const MIGRATIONS: [string, string][] = [
  ['0001-initial.sql', initial],
  ['0002-server.sql', server],
];

/** Where the library keeps account of the migrations that ran. */
const TABLE = 'schema_migration';

/** The library reads files; they lie here while it works. What is older (milliseconds) was left by a killed run. */
const STAGING = '.migrations-';
const STALE = 3_600_000;

/** A server that waits for its passive one is brought up to date all the same: its tables get there later. */
const LOCALLY = { isLocal: true };

async function ensureDatabase(cluster: Cluster): Promise<boolean> {
  return withDatabase(
    cluster,
    async (database) => {
      const { rows } = await database.query<{ standby: boolean; present: boolean }>(
        `select pg_is_in_recovery() or coalesce(current_setting('keytrustee.role', true) = 'fenced', false) as standby,
           exists (select from pg_database where datname = $1) as present`,
        [DATABASE],
      );
      if (rows[0]?.standby === true) return false;
      await ensureCatalogue(database);
      if (rows[0]?.present !== true) await createDatabase(database, DATABASE).catch(unlessMade);
      return true;
    },
    'postgres',
    LOCALLY,
  );
}

/** Another run may make the database at the same moment (SQLSTATE duplicate_database, unique_violation). */
function unlessMade(error: unknown): void {
  if (!['42P04', '23505'].includes(errorCode(error) ?? '')) throw error;
}

/** Creates an empty database with the encoding and locale that the server's own has. */
export async function createDatabase(database: Database, name: string, owner = ROLE): Promise<void> {
  const identifier = database.escapeIdentifier(name);
  await database.query(
    `create database ${identifier} owner ${owner} template template0 encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'`,
  );
}

/**
 * Brings the database up to this version: creates it when it is missing and applies what is pending, under an advisory
 * lock and in one transaction. On a passive server, which is read-only, and on a fenced one it does nothing. Returns the names of what ran.
 */
export async function migrate(source: Source): Promise<string[]> {
  // A database elsewhere is made by those who run it, and waits as they have set it.
  const isOwn = !isExternal(source);
  if (isOwn && !(await ensureDatabase(source))) return [];
  const work = async (database: Database) => {
    const ran = await applyMigrations(source, database);
    await ensureJobs(database);
    return ran;
  };
  return withDatabase(source, work, DATABASE, { isLocal: isOwn });
}

/** Brings another database of the cluster, which was loaded from a set, up to this version; or only some steps of the way. */
export async function migrateLoaded(
  cluster: Cluster,
  name: string,
  count = Number.POSITIVE_INFINITY,
): Promise<void> {
  await withDatabase(
    cluster,
    async (database) => {
      await applyMigrations(cluster, database, count);
      if (count === Number.POSITIVE_INFINITY) await ensureJobs(database);
    },
    name,
    LOCALLY,
  );
}

/** Fails where the server's database is not of this version. */
export async function requireCurrent(database: Database): Promise<void> {
  if ((await isCurrent(database)) && (await hasJobs(database))) return;
  throw failure('state', "the database's tables are of an older version", 'ktadmin db restart');
}

async function applyMigrations(
  { root }: Source,
  database: Database,
  count = Number.POSITIVE_INFINITY,
): Promise<string[]> {
  if (await isCurrent(database)) return [];
  const { runner } = await load('migrate');
  await sweep(root, STAGING, STALE);
  return withStagingDirectory(root, STAGING, async (directory) => {
    for (const [name, sql] of MIGRATIONS) await writeFile(join(directory, name), sql, { mode: 0o600 });
    const silent = () => undefined;
    const ran = await runner({
      dbClient: database,
      dir: directory,
      direction: 'up',
      count,
      migrationsTable: TABLE,
      migrationsSchema: 'public',
      singleTransaction: true,
      checkOrder: true,
      advisoryLockMode: 'wait',
      logger: { debug: silent, info: silent, warn: silent, error: silent },
    });
    return ran.map((migration) => migration.name);
  });
}

async function isCurrent(database: Database): Promise<boolean> {
  const { rows: tables } = await database.query('select to_regclass($1) is not null as present', [
    `public.${TABLE}`,
  ]);
  if (tables[0]?.present !== true) return false;
  const { rows } = await database.query<{ name: string }>(`select name from public.${TABLE}`);
  const done = new Set(rows.map((row) => row.name));
  const known = MIGRATIONS.map(([name]) => name.replace(/\.sql$/, ''));
  const unknown = [...done].filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw failure(
      'state',
      `the database was made by a newer version of ktadmin (${unknown.join(', ')})`,
      'install that version',
    );
  }
  return known.every((name) => done.has(name));
}
