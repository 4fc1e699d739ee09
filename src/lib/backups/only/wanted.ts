import { failure } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import { cursor, type Database, withTransaction } from '../../database/connection.ts';
import type { Selection } from './selection.ts';

/**
 * What is wanted out of the loaded set stands, without the deposits' content, in temporary tables beside the live ones,
 * where a plan is a matter of joins. Rows belong together by natural keys: numbers of one database mean nothing in another.
 */
interface WantedTable {
  name: string;
  columns: string;
  /** `$1` are the names of organizations, `$2` the uuids of deposits. */
  select: string;
}

/** `whole`: the organization was asked for by name, and not only needed by a deposit. */
const WANTED: WantedTable[] = [
  {
    name: 'wanted_organization',
    columns: `uuid text collate "C" primary key, name text collate "C", auth_secret text, state smallint,
      created_at timestamptz, expires_at timestamptz, whole boolean`,
    select: `select uuid, name, auth_secret, state, created_at, expires_at, name = any($1) as whole
      from public.organization where name = any($1) or id in
        (select organization_id from public.client join public.deposit on client_id = client.id where deposit.uuid = any($2))`,
  },
  {
    name: 'wanted_contact',
    columns: `organization text collate "C", email text collate "C", public_key text, created_at timestamptz,
      primary key (organization, email)`,
    select: `select organization.uuid as organization, email, public_key, contact.created_at
      from public.contact join public.organization on organization.id = organization_id
      where organization.name = any($1) and cardinality($2::text[]) >= 0`,
  },
  {
    name: 'wanted_client',
    columns: `fingerprint text collate "C" primary key, organization text collate "C", name text, public_key text, state text,
      created_at timestamptz, activated_at timestamptz, disabled_at timestamptz, whole boolean`,
    select: `select fingerprint, organization.uuid as organization, client.name, public_key, client.state, client.created_at,
        activated_at, disabled_at, organization.name = any($1) as whole
      from public.client join public.organization on organization.id = organization_id
      where organization.name = any($1) or client.id in (select client_id from public.deposit where uuid = any($2))`,
  },
  {
    name: 'wanted_deposit',
    columns: `uuid text collate "C" primary key, client text collate "C", handle text collate "C", sha256 bytea,
      created_at timestamptz, expires_at timestamptz, retrievals_left integer, deleted_at timestamptz,
      named boolean, sound boolean, size integer`,
    select: `select deposit.uuid, fingerprint as client, handle, sha256, deposit.created_at, deposit.expires_at, retrievals_left,
        case when deposit.uuid = any($2) then null else deleted_at end as deleted_at,
        deposit.uuid = any($2) as named, sha256(content) = sha256 as sound, octet_length(content) as size
      from public.deposit join public.client on client.id = client_id
        join public.organization on organization.id = organization_id
      where organization.name = any($1) or deposit.uuid = any($2)`,
  },
];

const READ = 'begin isolation level repeatable read read only';

/** Rows travel as JSON that PostgreSQL writes and reads, so that nothing of a value is lost on the way. */
async function copyTable(
  loaded: Database,
  live: Database,
  table: WantedTable,
  selection: Selection,
): Promise<void> {
  let held: string[] = [];
  const flush = async () => {
    checkInterruption();
    const query = `insert into pg_temp.${table.name} select * from json_populate_recordset(null::pg_temp.${table.name}, $1)`;
    await live.query(query, [`[${held.join(',')}]`]);
    held = [];
  };
  const rows = `select row_to_json(wanted)::text as row from (${table.select}) as wanted`;
  await withTransaction(
    loaded,
    async () => {
      const values = [selection.organizations, selection.deposits];
      for await (const { row } of cursor<{ row: string }>(loaded, rows, values, 500)) {
        held.push(row);
        if (held.length === 500) await flush();
      }
      await flush();
    },
    READ,
  );
}

/**
 * Makes the temporary tables and fills them. They are gone with the connection. A deposit of the set that does not fit
 * its own SHA-256 was damaged before the set was made, and is refused.
 */
export async function stageWanted(loaded: Database, live: Database, selection: Selection): Promise<void> {
  for (const table of WANTED) {
    await live.query(`create temporary table ${table.name} (${table.columns})`);
    await copyTable(loaded, live, table, selection);
    await live.query(`analyze pg_temp.${table.name}`);
  }
  const { rows } = await live.query<{ uuid: string }>(
    'select uuid from pg_temp.wanted_deposit where not sound order by uuid limit 1',
  );
  if (rows[0] !== undefined)
    throw failure(
      'untrusted',
      `deposit ${rows[0].uuid} was damaged when the set was made: its SHA-256 differs`,
    );
}
