import type { Database } from './connection.ts';

/** A table of the server. */
export interface Table {
  name: string;
  /** The columns that are copied, in their order; generated ones are made anew when a set is loaded. */
  columns: Column[];
  /** Whether it can be copied in binary: the size of every column's type is known here. */
  isMeasurable: boolean;
}

/** A table as one snapshot sees it. `copySize` is that of its binary copy in bytes, where it can be computed. */
export interface MeasuredTable extends Table {
  rows: number;
  copySize: number | undefined;
}

/** A column, and the name of its type in pg_type. */
export interface Column {
  name: string;
  type: string;
}

/** What every database of a server has. */
export const SERVER_TABLES = [
  'client',
  'client_approval',
  'contact',
  'contact_invitation',
  'deposit',
  'organization',
];

/** Bytes of a value in PostgreSQL's binary form, for types of a fixed size. */
const FIXED: Record<string, number> = {
  bool: 1,
  int2: 2,
  int4: 4,
  int8: 8,
  float4: 4,
  float8: 8,
  date: 4,
  timestamp: 8,
  timestamptz: 8,
  uuid: 16,
};

/** Names that can be those of files as they are. */
const PLAIN = /^\w{1,63}$/;

/** Types whose binary form is their bytes. */
const BYTES = new Set(['bytea', 'text', 'varchar']);

/** What the binary form of COPY has around its rows: signature, flags and length of the extension before, the end behind. */
const COPY_FRAME = 11 + 4 + 4 + 2;

/** Every table of the server, by name. */
export async function listTables(database: Database): Promise<Table[]> {
  const { rows: settings } = await database.query<{ encoding: string }>(
    "select current_setting('server_encoding') as encoding",
  );
  const isUtf8 = settings[0]?.encoding === 'UTF8';
  const { rows } = await database.query<{ table: string; columns: Column[] | null }>(
    `select relname as table, (
       select json_agg(json_build_object('name', attname, 'type', typname) order by attnum)
       from pg_attribute join pg_type on pg_type.oid = atttypid
       where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = ''
     ) as columns
     from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
     order by relname collate "C"`,
  );
  return rows.map(({ table: name, columns }) => {
    const known = (columns ?? []).every(({ type }) => BYTES.has(type) || type in FIXED);
    return {
      name,
      columns: columns ?? [],
      isMeasurable: isUtf8 && columns !== null && known && PLAIN.test(name),
    };
  });
}

/** SQL for the bytes of one value; null has none. */
function valueSize(column: string, type: string): string {
  if (BYTES.has(type)) return `coalesce(octet_length(${column}), 0)`;
  return `case when ${column} is null then 0 else ${FIXED[type]} end`;
}

/**
 * Counts a table's rows and computes the exact size of its binary copy (PostgreSQL's documentation of COPY, "Binary
 * Format"): an archive must know it before the first byte. To be called in the snapshot that is copied.
 */
export async function measureTable(database: Database, table: Table): Promise<MeasuredTable> {
  const { name, columns, isMeasurable } = table;
  const sizes = columns.map((column) => valueSize(database.escapeIdentifier(column.name), column.type));
  // A row is the number of its values, and the length of each before it.
  const perRow = isMeasurable ? `sum(${2 + 4 * columns.length} + ${sizes.join(' + ')})` : 'null';
  const { rows } = await database.query<{ rows: string; bytes: string | null }>(
    `select count(*)::text as rows, ${perRow}::text as bytes from only public.${database.escapeIdentifier(name)}`,
  );
  const copySize = isMeasurable ? COPY_FRAME + Number(rows[0]?.bytes ?? 0) : undefined;
  return { ...table, rows: Number(rows[0]?.rows), copySize };
}
