import type { Account } from '../core/account.ts';
import { childFailure } from '../core/child-result.ts';
import { failure } from '../core/errors.ts';
import { type Cluster, DATABASE } from '../database/cluster.ts';
import { type Database, withDatabase, withTransaction } from '../database/connection.ts';
import { copyTables } from '../database/copy.ts';
import { type DumpPart, dumpDatabase, dumpIsComplete } from '../database/dump.ts';
import {
  listTables,
  type MeasuredTable,
  measureTable,
  SERVER_TABLES,
  type Table,
} from '../database/tables.ts';
import { whatIsMissing } from './following.ts';
import { type Spool, spoolEncrypted } from './spool.ts';
import { type DumpFile, type TableFiles, tableFiles } from './table-copies.ts';

/** The number of the advisory lock that one backup run holds: `ktbackup` in ASCII, cut to a positive bigint. */
const LOCK = '7742929871846468976';

/** A database as one moment sees it: the files that its dump consists of, in their order, and what it says of itself. */
export interface DatabaseSnapshot {
  files: DumpFile[];
  rows: Record<string, number>;
  postgresql: string;
  systemIdentifier: string;
  /** What it may lack of what the pair has acknowledged, in words. */
  missing: string | undefined;
  /** Fails when the lock that came with the snapshot was lost meanwhile. */
  check(): Promise<void>;
}

/** Whom to ask for a dump, and where it may be put aside. */
interface Source {
  cluster: Cluster;
  account: Account;
  directory: string;
  /** The identifier of the exported snapshot. */
  snapshot: string;
}

async function lockOut(database: Database): Promise<void> {
  const { rows } = await database.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
    LOCK,
  ]);
  if (rows[0]?.locked !== true) {
    throw failure('locked', 'another backup of this server is running', 'wait until it has ended');
  }
}

async function spoolDump(source: Source, part: DumpPart, tables: Table[]): Promise<Spool> {
  const copied = part === 'tables' ? tables.filter((table) => table.isMeasurable) : [];
  const names = copied.map(({ name }) => name);
  const child = await dumpDatabase(source.cluster, source.account, source.snapshot, part, names);
  const spool = await spoolEncrypted(child.stdout, source.directory).catch((error: unknown) => {
    child.kill();
    throw error;
  });
  try {
    // The end of its output says nothing of how the producer ended (hazards PG-16, PG-17).
    const result = await child.done;
    if (result.status !== 0) throw childFailure('pg_dump', result);
    if (!dumpIsComplete(spool.start, spool.end))
      throw failure('failed', 'what pg_dump wrote is not a whole dump');
    return spool;
  } catch (error) {
    await spool.close();
    throw error;
  }
}

/** Both parts at once, on a second processor. */
async function spoolBoth(source: Source, tables: Table[]): Promise<[Spool, Spool]> {
  const parts = [spoolDump(source, 'tables', tables), spoolDump(source, 'constraints', tables)];
  const settled = await Promise.allSettled(parts);
  const made = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const [first, second] = made;
  if (first !== undefined && second !== undefined) return [first, second];
  for (const spool of made) await spool.close();
  throw settled.find((one) => one.status === 'rejected')?.reason;
}

async function describe(database: Database): Promise<{ postgresql: string; systemIdentifier: string }> {
  const { rows } = await database.query<{ version: string; system: string }>(
    "select current_setting('server_version') as version, system_identifier::text as system from pg_control_system()",
  );
  return { postgresql: rows[0]?.version ?? '', systemIdentifier: rows[0]?.system ?? '' };
}

async function checkConnection(database: Database): Promise<void> {
  await database.query('select 1').catch((error: unknown) => {
    throw failure(
      'failed',
      'the database was stopped or exchanged while the backup was made',
      'run the backup again',
      error,
    );
  });
}

async function measureAll(database: Database, tables: Table[]): Promise<MeasuredTable[]> {
  const measured: MeasuredTable[] = [];
  for (const table of tables) measured.push(await measureTable(database, table));
  return measured;
}

const spooled = (name: string, spool: Spool): DumpFile => ({
  name,
  size: spool.size,
  content: () => spool.content(),
});

/** Takes what can be taken before the tables' data, which only goes through when the set is written. */
async function withDump<T>(
  database: Database,
  source: Source,
  work: (snapshot: DatabaseSnapshot) => Promise<T>,
): Promise<T> {
  const tables = await listTables(database);
  if (tables.length === 0) throw failure('state', 'the database has no tables: nothing to back up');
  const lost = SERVER_TABLES.filter((name) => !tables.some((table) => table.name === name));
  if (lost.length > 0) {
    const what = `the database lacks ${lost.join(', ')}: a set of it would not be one of a server`;
    throw failure('state', what, 'ktadmin restore FILE brings back what was lost');
  }
  const missing = await whatIsMissing(database);
  const dumps = spoolBoth(source, tables);
  dumps.catch(() => undefined);
  let copies: TableFiles | undefined;
  try {
    const measured = await measureAll(database, tables);
    const copied = measured.filter((table) => table.isMeasurable);
    const { cluster, account, snapshot } = source;
    copies = tableFiles(copied, () => copyTables(cluster, account, DATABASE, copied, snapshot));
    const [before, behind] = await dumps;
    return await work({
      files: [spooled('tables.sql', before), ...copies.files, spooled('constraints.sql', behind)],
      rows: Object.fromEntries(measured.map(({ name, rows }) => [name, rows])),
      ...(await describe(database)),
      missing,
      check: () => checkConnection(database),
    });
  } finally {
    await copies?.close();
    for (const spool of await dumps.catch(() => [])) await spool.close();
  }
}

/**
 * Lends a dump of the database to `work`, all of it and the counts of its rows of one moment. Only one run at a time can
 * hold the snapshot of a server; PostgreSQL frees the lock when a run dies. Bytes that wait lie encrypted in `directory`.
 */
export async function withSnapshot<T>(
  cluster: Cluster,
  account: Account,
  directory: string,
  work: (snapshot: DatabaseSnapshot) => Promise<T>,
): Promise<T> {
  return withDatabase(cluster, async (database) => {
    await lockOut(database);
    const take = async () => {
      const { rows } = await database.query<{ id: string }>('select pg_export_snapshot() as id');
      return withDump(database, { cluster, account, directory, snapshot: rows[0]?.id ?? '' }, work);
    };
    return withTransaction(database, take, 'begin isolation level repeatable read read only');
  });
}
