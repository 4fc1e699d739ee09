import { readMember } from '../../archive/read.ts';
import type { Account } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { reached } from '../../core/steps.ts';
import type { Cluster } from '../../database/cluster.ts';
import { ROLE } from '../../database/cluster.ts';
import { type Database, withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { giveTo, IMPORT_ROLE, loadUnsigned, withImportRole } from '../../database/import.ts';
import { dropJobs } from '../../database/jobs.ts';
import { createDatabase, migrateLoaded } from '../../database/migrations.ts';
import { schemaText } from '../../database/schema.ts';
import { dropDatabase, MAINTENANCE } from '../restore/exchange.ts';
import type { UnsignedSet } from './set.ts';

/** The database and its owner in which a dump is kept whose tables are not this program's. */
export const SIDE_DATABASE = 'keytrustee_original';

/** Nothing of it waits for a passive server. */
const LOCAL = { isLocal: true };

const OWN_TABLES = ['schema_migration', 'organization', 'contact', 'client', 'deposit'];

/** Whether a dump has the tables of this program: of a server of it that was dumped by hand. */
export function hasOwnTables({ rows }: Pick<UnsignedSet, 'rows'>): boolean {
  return OWN_TABLES.every((table) => rows.has(table));
}

async function make(cluster: Cluster, name: string, owner: string): Promise<void> {
  const create = (database: Database) => createDatabase(database, name, owner);
  await withDatabase(cluster, create, MAINTENANCE, LOCAL);
}

/** Fills a new database, which the import role owns, and gives it to another role once `check` found it well. */
async function load(
  cluster: Cluster,
  account: Account,
  set: UnsignedSet,
  { name, owner, check }: { name: string; owner: string; check: () => Promise<void> },
): Promise<void> {
  await withImportRole(cluster, account, async () => {
    try {
      await make(cluster, name, IMPORT_ROLE);
      reached('unsigned-created');
      await loadUnsigned(cluster, account, name, readMember(set.handle, set.dump));
      reached('unsigned-loaded');
      await check();
      await giveTo(cluster, name, owner);
    } catch (error) {
      await dropDatabase(cluster, name).catch(() => undefined);
      throw error;
    }
  });
}

/** What the dump made must be to the letter what this program's own migrations make: nothing else becomes the server's. */
async function checkSchema(
  cluster: Cluster,
  account: Account,
  name: string,
  migrations: number,
): Promise<void> {
  const pattern = `${name}0`;
  await withDatabase(cluster, dropJobs, name, LOCAL);
  try {
    await make(cluster, pattern, ROLE);
    await migrateLoaded(cluster, pattern, migrations);
    const [found, expected] = [
      await schemaText(cluster, account, name),
      await schemaText(cluster, account, pattern),
    ];
    if (found === expected) return;
  } finally {
    await dropDatabase(cluster, pattern).catch(() => undefined);
  }
  throw failure(
    'untrusted',
    "the dump's tables have the names of this program's, and are others",
    'was it made by a newer version, or changed?',
  );
}

async function compareRows(cluster: Cluster, name: string, { rows }: UnsignedSet): Promise<void> {
  const found = await withDatabase(cluster, countRows, name);
  for (const [table, count] of rows) {
    if (found[table] === count || table === 'schema_migration') continue;
    throw failure(
      'failed',
      `table ${table} has ${found[table] ?? 'no'} rows after loading, and the dump ${count}`,
    );
  }
}

/** Loads a dump of this program's own tables into a new database and brings it up to this version. */
export async function loadOwn(
  cluster: Cluster,
  account: Account,
  name: string,
  set: UnsignedSet,
): Promise<void> {
  const migrations = set.rows.get('schema_migration') ?? 0;
  const check = () => checkSchema(cluster, account, name, migrations);
  await load(cluster, account, set, { name, owner: ROLE, check });
  try {
    await migrateLoaded(cluster, name);
    await compareRows(cluster, name, set);
  } catch (error) {
    await dropDatabase(cluster, name).catch(() => undefined);
    throw error;
  }
}

/** Makes a database with this program's tables and nothing in them. */
export async function makeEmpty(cluster: Cluster, name: string): Promise<void> {
  await make(cluster, name, ROLE);
  await migrateLoaded(cluster, name);
}

/** Loads a dump of other tables into a new database; its owner is a role that nobody can connect as. */
export async function loadForeign(
  cluster: Cluster,
  account: Account,
  name: string,
  set: UnsignedSet,
): Promise<void> {
  const ensureOwner = async (database: Database) => {
    const { rowCount } = await database.query('select from pg_roles where rolname = $1', [SIDE_DATABASE]);
    if (rowCount === 0) await database.query(`create role ${SIDE_DATABASE} nologin`);
  };
  await withDatabase(cluster, ensureOwner, MAINTENANCE, LOCAL);
  const check = () => Promise.resolve();
  await load(cluster, account, set, { name, owner: SIDE_DATABASE, check });
}

/** Refuses to load a second dump beside the first. */
export async function refuseSideDatabase(cluster: Cluster): Promise<void> {
  const query = (database: Database) =>
    database.query('select from pg_database where datname = $1', [SIDE_DATABASE]);
  const { rowCount } = await withDatabase(cluster, query, MAINTENANCE);
  if (rowCount === 0) return;
  throw failure(
    'conflict',
    `there is a database ${SIDE_DATABASE} already`,
    `keep it: ktadmin db psql -- -d postgres -c 'alter database ${SIDE_DATABASE} rename to NAME'`,
  );
}

/** Gives the database that was loaded beside the server's its name. */
export async function nameSideDatabase(cluster: Cluster, loaded: string): Promise<void> {
  const rename = (database: Database) =>
    database.query(`alter database ${database.escapeIdentifier(loaded)} rename to ${SIDE_DATABASE}`);
  await withDatabase(cluster, rename, MAINTENANCE, { cleanUp: true, ...LOCAL });
}
