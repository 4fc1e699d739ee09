import type { Client, ClientBase } from 'pg';
import { errorCode, failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';
import { load } from '../core/lazy.ts';
import { DATABASE, ROLE } from './cluster.ts';
import { letGo } from './let-go.ts';
import { isExternal, type Source } from './source.ts';

/** A connection to the server's database. */
export type Database = ClientBase;

/** Commits wait for the own disk, and not for a passive server, however long that is away (hazard RP-1). */
const LOCAL = '-c synchronous_commit=local';

/** The same for a program of PostgreSQL. */
export const LOCAL_VARIABLES = { PGOPTIONS: LOCAL };

/** No command waits longer than this for a database to answer; milliseconds. */
const CONNECT_TIMEOUT = 4000;

const NOT_RUNNING = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P01', '57P02', '57P03']);

function explainConnection(error: unknown, cluster: Source): unknown {
  if (isExternal(cluster))
    return failure('unreachable', 'the connection to the database was lost', 'ktadmin doctor', error);
  const code = errorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const start = `ktadmin db start --pg-rootdir ${cluster.root}`;
  const where = `port ${cluster.port}, socket in ${cluster.socketDirectory}`;
  if (code !== undefined && NOT_RUNNING.has(code)) {
    return failure('unreachable', `the database does not answer (${where})`, start, error);
  }
  if (/timeout|terminated/i.test(message)) {
    return failure(
      'unreachable',
      `the database did not answer in time (${where})`,
      `ktadmin db status --pg-rootdir ${cluster.root}`,
      error,
    );
  }
  if (code === '3D000') {
    const hint = `ktadmin restore FILE brings a lost database back; an empty one: ${start}`;
    return failure('state', 'the database keytrustee does not exist', hint, error);
  }
  if (code === '28000' || code === 'EACCES') {
    return failure(
      'permission',
      `the database refuses this account (${where})`,
      `see ${cluster.root}/pg_ident.conf`,
      error,
    );
  }
  if (code === '53300')
    return failure('unreachable', 'the database has no free connection', 'try again later', error);
  return error;
}

/** Connects, or fails with status 7 and the command that starts the database. */
async function connect(source: Source, database: string, isLocal: boolean): Promise<Client> {
  const { default: pg } = await load('pg');
  const place = isExternal(source)
    ? (await source.route.primary()).config
    : { host: source.socketDirectory, port: source.port, user: ROLE, database };
  const client = new pg.Client({
    ...place,
    ...(isLocal ? { options: LOCAL } : {}),
    application_name: 'ktadmin',
    connectionTimeoutMillis: CONNECT_TIMEOUT,
  });
  // Without a listener a restart of PostgreSQL would end this process; the query that runs reports the loss.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    letGo(client);
    throw explainConnection(error, source);
  }
  return client;
}

/** How a connection is lent. */
interface Lending {
  /** An interruption ends whatever query is running, unless this is clean-up, which goes on although the program was interrupted. */
  cleanUp?: boolean;
  /** What it commits is acknowledged to nobody, and waits for no passive server. */
  isLocal?: boolean;
}

/** Lends a connection to `work` and always closes it. */
export async function withDatabase<T>(
  source: Source,
  work: (database: Database) => Promise<T>,
  database = DATABASE,
  { cleanUp = false, isLocal = false }: Lending = {},
): Promise<T> {
  const client = await connect(source, database, isLocal);
  // The goodbye is sent at once; that the server hangs up need not be waited for, which would take 4 ms.
  const abandon = () => {
    void client.end();
    (client as unknown as { unref(): void }).unref();
  };
  const cut = () => {
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  };
  if (!cleanUp) interruption.addEventListener('abort', cut);
  try {
    return await work(client);
  } catch (error) {
    if (interruption.aborted && !cleanUp) throw interruption.reason;
    throw explainQuery(error, source);
  } finally {
    interruption.removeEventListener('abort', cut);
    abandon();
  }
}

function explainQuery(error: unknown, source: Source): unknown {
  const code = errorCode(error);
  // An error of the work itself that has nothing to do with the database: a file that is not there, a broken pipe.
  if ((error as { path?: unknown } | undefined)?.path !== undefined) return error;
  if (code === '42P01' || code === '3F000') {
    return failure(
      'state',
      'the database has no tables yet',
      isExternal(source) ? 'ktadmin db start' : `ktadmin db restart --pg-rootdir ${source.root}`,
      error,
    );
  }
  if (code === '53100')
    return failure(
      'failed',
      'PostgreSQL: no space left on device',
      'free some space and run the command again',
      error,
    );
  if (code === '25006' && isExternal(source))
    return failure('unreachable', 'the database takes no writes any more', 'ktadmin doctor', error);
  if (code === '25006')
    return failure('state', 'this is a passive server: its database is read-only', undefined, error);
  const lost = error instanceof Error && /Connection terminated|not queryable/.test(error.message);
  if (lost && code === undefined) {
    return failure(
      'unreachable',
      'the connection to the database was lost',
      isExternal(source) ? 'ktadmin doctor' : `ktadmin db status --pg-rootdir ${source.root}`,
      error,
    );
  }
  return lost || (code !== undefined && NOT_RUNNING.has(code)) ? explainConnection(error, source) : error;
}

/** Runs `work` in one transaction that only reads, or makes tables; what changes what is kept goes through `withWriting`. */
export async function withTransaction<T>(
  database: Database,
  work: () => Promise<T>,
  begin = 'begin',
): Promise<T> {
  await database.query(begin);
  try {
    const result = await work();
    await database.query('commit');
    return result;
  } catch (error) {
    await database.query('rollback').catch(() => undefined);
    throw error;
  }
}

/**
 * Rows of a query that may return many, a batch at a time, so that memory stays small. Must run inside a transaction, which
 * closes the cursor at its end; so there can be only one in it.
 */
export async function* cursor<Row extends object>(
  database: Database,
  sql: string,
  values: unknown[],
  batch = 1000,
): AsyncGenerator<Row> {
  await database.query(`declare rows no scroll cursor for ${sql}`, values);
  for (;;) {
    const { rows } = await database.query<Row>(`fetch ${batch} from rows`);
    yield* rows;
    if (rows.length < batch) break;
  }
}
