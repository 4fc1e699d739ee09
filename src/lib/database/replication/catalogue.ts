import type { Database } from '../connection.ts';
import { withSessionLock } from '../session-lock.ts';
import { REPLICATION_ROLE as ROLE, REPLICATION_SCHEMA as SCHEMA } from './place.ts';

/** Keeps two runs from making it at once. Any number that nobody else takes. */
const LOCK = 7_450_011_381;

/** The last change of what follows; a comment on the schema says which one a database has. */
const VERSION = '1';

/**
 * What both servers of a pair know: which node is active and since which epoch, whether its changes wait for the other one, and
 * how each is reached. `enrol` is what a passive server may write, through the active one.
 */
const CATALOGUE = `
  do $$ begin
    if not exists (select from pg_roles where rolname = '${ROLE}') then
      create role ${ROLE} login replication in role pg_monitor;
    end if;
  end $$;
  create schema if not exists ${SCHEMA};
  create table if not exists ${SCHEMA}.pair (
    one boolean primary key default true check (one),
    epoch bigint not null default 1,
    active text not null,
    sync boolean not null default false,
    policy text not null default 'both',
    changed_at timestamptz not null default now()
  );
  create table if not exists ${SCHEMA}.node (
    id text primary key,
    host text not null,
    port integer not null,
    https_port integer not null,
    fingerprint text not null,
    version text not null,
    joined_at timestamptz not null default now()
  );
  create or replace function ${SCHEMA}.enrol(
    id text, host text, port integer, https_port integer, fingerprint text, version text
  ) returns void language sql security definer set search_path = '' as $$
    insert into ${SCHEMA}.node as known (id, host, port, https_port, fingerprint, version)
    values (enrol.id, enrol.host, enrol.port, enrol.https_port, enrol.fingerprint, enrol.version)
    on conflict (id) do update set host = excluded.host, port = excluded.port, https_port = excluded.https_port,
      fingerprint = excluded.fingerprint, version = excluded.version, joined_at = now()
  $$;
  revoke all on function ${SCHEMA}.enrol from public;
  grant usage on schema ${SCHEMA} to ${ROLE};
  grant select on ${SCHEMA}.pair, ${SCHEMA}.node to ${ROLE};
  grant execute on function ${SCHEMA}.enrol to ${ROLE};
  grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean) to ${ROLE};
  grant execute on function pg_catalog.pg_stat_file(text, boolean) to ${ROLE};
  grant execute on function pg_catalog.pg_read_binary_file(text) to ${ROLE};
  grant execute on function pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) to ${ROLE};
  comment on schema ${SCHEMA} is 'version ${VERSION}';
`;

async function isCurrent(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ version: string | null }>(
    `select obj_description(oid, 'pg_namespace') as version from pg_namespace where nspname = $1`,
    [SCHEMA],
  );
  return rows[0]?.version === `version ${VERSION}`;
}

async function make(database: Database): Promise<void> {
  if (await isCurrent(database)) return;
  // The setting lets a server that waits for its passive be brought up to date all the same.
  await database.query('begin; set local synchronous_commit = local');
  try {
    await database.query(CATALOGUE);
    await database.query('commit');
  } catch (error) {
    await database.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** Makes what a pair keeps in the database `postgres`, where it is missing; one query where it is there. */
export async function ensureCatalogue(database: Database): Promise<void> {
  if (!(await isCurrent(database))) await withSessionLock(database, LOCK, () => make(database));
}
