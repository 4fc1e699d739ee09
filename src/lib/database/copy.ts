import type { Account } from '../core/account.ts';
import { type StreamingChild, stream } from '../core/process.ts';
import type { Cluster } from './cluster.ts';
import { connectionArguments, postgresProgram } from './dump.ts';
import type { Table } from './tables.ts';

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;

const target = ({ name, columns }: Table) =>
  `public.${quote(name)} (${columns.map((column) => quote(column.name)).join(', ')})`;

/**
 * The line that psql reads before the binary copy of a table in one file with it; what follows, to the end of the file, is
 * data to psql. Frozen rows need not be written again later; that they may be, the table was made in the same transaction.
 */
export function copyLine(table: Table): Buffer {
  return Buffer.from(`copy ${target(table)} from stdin with (format binary, freeze);\n`);
}

/**
 * Starts psql writing the binary copies of tables, one right behind the other, each in the order of its rows on disk; as
 * an exported snapshot sees them, where one is given.
 */
export async function copyTables(
  cluster: Cluster,
  account: Account,
  database: string,
  tables: Table[],
  snapshot?: string,
): Promise<StreamingChild> {
  const commands = [
    'begin isolation level repeatable read read only',
    ...(snapshot === undefined ? [] : [`set transaction snapshot '${snapshot}'`]),
    // Else a copy could begin in the middle of a table, where another one is reading it.
    'set local synchronize_seqscans = off',
    "set local client_encoding = 'UTF8'",
    ...tables.map((table) => `copy ${target(table)} to stdout with (format binary)`),
    'commit',
  ];
  const options = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', database];
  const args = [...connectionArguments(cluster), ...options, ...commands.flatMap((sql) => ['-c', sql])];
  const child = await stream(await postgresProgram(cluster, 'psql'), args, { home: account.home });
  child.stdin.end();
  return child;
}
