import { readFile } from 'node:fs/promises';
import type { ClientConfig } from 'pg';
import type { DatabaseHost } from '../core/database-url.ts';
import { load } from '../core/lazy.ts';
import { readSecretFile } from '../core/secret-file.ts';

/** No host is waited for longer when it is asked what it is; milliseconds. */
const LIMIT = 2000;

/** A connection to which nothing answers any more is given up by the system about as long after this again; milliseconds. */
const KEEP_ALIVE = 5000;

/** What a host of a cluster said of itself, and how to connect to it. */
export interface Found {
  host: DatabaseHost;
  config: ClientConfig;
  /** Whether it takes no writes. */
  isPassive: boolean;
  /** The timeline of one that takes writes: that of the newest promotion is the highest. */
  timeline: number;
  /** How far its log is, in bytes. */
  position: number;
  /** Of its cluster; null where the role may not know. */
  system: string | null;
}

/** A host that did not answer, and why. */
export interface Silent {
  host: DatabaseHost;
  error: unknown;
}

/** How to connect: everything is read anew, so that a changed password or certificate counts from the next connection on. */
async function configOf(host: DatabaseHost, passwordFile: string | undefined): Promise<ClientConfig> {
  const { sslmode, sslrootcert, sslcert, sslkey } = host;
  const [ca, cert, key] = await Promise.all(
    [sslrootcert, sslcert, sslkey].map(async (path) =>
      path === undefined ? undefined : readFile(path, 'utf8'),
    ),
  );
  const password =
    passwordFile === undefined ? host.password : await readSecretFile('DATABASE_PASSWORD_FILE', passwordFile);
  const tls = { rejectUnauthorized: sslmode === 'verify-full', minVersion: 'TLSv1.2' as const };
  const files = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key }),
  };
  return {
    ...{ host: host.host, port: host.port, user: host.user, database: host.database },
    // An empty one is sent where the server wants one; without any, the library would look for ~/.pgpass.
    password: password ?? '',
    ssl: sslmode === 'disable' ? false : { ...tls, ...files },
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE,
  };
}

/** What PostgreSQL's own programs find in their environment: nothing secret may be an argument. */
export function libpqVariables({ host, config }: Found): Record<string, string> {
  const variables = {
    PGPASSWORD: config.password as string,
    PGSSLMODE: host.sslmode,
    PGSSLROOTCERT: host.sslrootcert,
    PGSSLCERT: host.sslcert,
    PGSSLKEY: host.sslkey,
  };
  const known = Object.entries(variables).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(known) as Record<string, string>;
}

const QUESTION = `
  select current_setting('transaction_read_only')::boolean as "isPassive",
    case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_lsn()), 8) end as timeline,
    case when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
         else pg_current_wal_lsn() end - '0/0'::pg_lsn as position,
    case when has_function_privilege('pg_control_system()', 'execute')
         then (select system_identifier::text from pg_control_system()) end as system`;

interface Row {
  isPassive: boolean;
  timeline: string | null;
  position: string | null;
  system: string | null;
}

/** Asks a host what it is, on a connection of its own. */
export async function askHost(host: DatabaseHost, passwordFile: string | undefined): Promise<Found | Silent> {
  try {
    const config = await configOf(host, passwordFile);
    const { default: pg } = await load('pg');
    const limits = { connectionTimeoutMillis: LIMIT, query_timeout: LIMIT, application_name: 'ktadmin' };
    const client = new pg.Client({ ...config, ...limits });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<Row>(QUESTION);
      const { isPassive, timeline, position, system } = rows[0] as Row;
      const numbers = { timeline: Number.parseInt(timeline ?? '0', 16), position: Number(position) };
      return { host, config, isPassive, ...numbers, system };
    } finally {
      void client.end().catch(() => undefined);
      (client as unknown as { unref(): void }).unref();
    }
  } catch (error) {
    return { host, error };
  }
}
