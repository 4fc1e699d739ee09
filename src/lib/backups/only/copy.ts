import { failure } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import { cursor, type Database } from '../../database/connection.ts';
import { MISSING } from './plan.ts';

/** Bytes of content that one statement carries, and the most deposits: memory stays small whatever their size. */
const PIECE = 1024 * 1024;
const BATCH = 2000;

const INSERT_ORGANIZATIONS = `
  insert into public.organization (uuid, name, auth_secret, state, created_at, expires_at)
  select uuid, name, auth_secret, case when whole then state else 1 end, created_at, expires_at
  from pg_temp.wanted_organization as wanted where ${MISSING.organization}`;

const INSERT_CONTACTS = `
  insert into public.contact (organization_id, email, public_key, created_at)
  select organization.id, email, public_key, wanted.created_at from pg_temp.wanted_contact as wanted
  join public.organization on organization.uuid = wanted.organization where ${MISSING.contact}`;

const INSERT_CLIENTS = `
  insert into public.client
    (organization_id, fingerprint, name, public_key, state, created_at, activated_at, disabled_at)
  select organization.id, fingerprint, wanted.name, public_key, case when whole then wanted.state else 'disabled' end,
    wanted.created_at, activated_at, case when whole then disabled_at else coalesce(disabled_at, now()) end
  from pg_temp.wanted_client as wanted
  join public.organization on organization.uuid = wanted.organization where ${MISSING.client}`;

const INSERT_DEPOSITS = `
  insert into public.deposit
    (uuid, client_id, handle, content, sha256, created_at, expires_at, retrievals_left, deleted_at)
  select wanted.uuid, client.id, wanted.handle, given.content, wanted.sha256, wanted.created_at, wanted.expires_at,
    wanted.retrievals_left, wanted.deleted_at
  from json_to_recordset($1) as given (uuid text, content bytea)
  join pg_temp.wanted_deposit as wanted on wanted.uuid = given.uuid
  join public.client on client.fingerprint = wanted.client`;

const UNDELETE = `
  update public.deposit set deleted_at = null
  where uuid in (select uuid from pg_temp.planned_deposit where action = 'undelete')`;

interface Missing {
  uuid: string;
  size: number;
}

/** The missing deposits' uuids in pieces of bounded size; a deposit has at most 1 MiB. */
async function* pieces(live: Database): AsyncGenerator<string[]> {
  let piece: string[] = [];
  let bytes = 0;
  const sql = "select uuid, size from pg_temp.planned_deposit where action = 'add'";
  for await (const { uuid, size } of cursor<Missing>(live, sql, [])) {
    if (piece.length === BATCH || (bytes + size > PIECE && piece.length > 0)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(uuid);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}

async function copyPiece(loaded: Database, live: Database, uuids: string[]): Promise<void> {
  checkInterruption();
  const { rows } = await loaded.query<{ content: string }>(
    `select json_agg(json_build_object('uuid', uuid, 'content', content))::text as content
     from public.deposit where uuid = any($1)`,
    [uuids],
  );
  await live.query(INSERT_DEPOSITS, [rows[0]?.content]);
}

/** Adds what is missing to the live database. The caller has opened the transaction. */
export async function copyMissing(loaded: Database, live: Database): Promise<void> {
  await live.query(INSERT_ORGANIZATIONS);
  await live.query(INSERT_CONTACTS);
  await live.query(INSERT_CLIENTS);
  await live.query(UNDELETE);
  for await (const piece of pieces(live)) await copyPiece(loaded, live, piece);
}

const UNTRUE = `
  select (select count(*) from pg_temp.wanted_organization as wanted where ${MISSING.organization})
    + (select count(*) from pg_temp.wanted_contact as wanted where ${MISSING.contact})
    + (select count(*) from pg_temp.wanted_client as wanted where ${MISSING.client})
    + (select count(*) from pg_temp.wanted_deposit as wanted where not exists (
        select from public.deposit join public.client on client.id = client_id
        where deposit.uuid = wanted.uuid and fingerprint = wanted.client
          and deposit.sha256 = wanted.sha256 and sha256(content) = wanted.sha256)) as count`;

/** Reads back all that was wanted: every row is there now, and the content of every deposit is that of the set. */
export async function checkCopied(live: Database): Promise<void> {
  const { rows } = await live.query<{ count: string }>(UNTRUE);
  if (rows[0]?.count !== '0')
    throw failure(
      'failed',
      `${rows[0]?.count} rows are not as in the set after copying; nothing was changed`,
    );
}
