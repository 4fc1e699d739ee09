import { failure } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Database } from '../../database/connection.ts';
import { MISSING } from './plan.ts';

/** Bytes of content that one statement carries, and the most deposits: memory stays small whatever their size. */
const PIECE = 4 * 1024 * 1024;
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

async function nextMissing(live: Database, after: string): Promise<Missing[]> {
  const { rows } = await live.query<Missing>(
    `select uuid, size from pg_temp.wanted_deposit as wanted where uuid > $1
     and not exists (select from public.deposit where deposit.uuid = wanted.uuid) order by uuid limit ${BATCH}`,
    [after],
  );
  return rows;
}

/** Splits a batch into pieces of bounded size; a deposit has at most 1 MiB. */
function* pieces(batch: Missing[]): Generator<string[]> {
  let piece: string[] = [];
  let bytes = 0;
  for (const { uuid, size } of batch) {
    if (bytes + size > PIECE && piece.length > 0) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(uuid);
    bytes += size;
  }
  yield piece;
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

async function copyDeposits(loaded: Database, live: Database): Promise<void> {
  for (let after = ''; ; ) {
    const batch = await nextMissing(live, after);
    const last = batch.at(-1);
    if (last === undefined) return;
    for (const piece of pieces(batch)) await copyPiece(loaded, live, piece);
    after = last.uuid;
  }
}

/** Adds what is missing to the live database. The caller has opened the transaction. */
export async function copyMissing(loaded: Database, live: Database): Promise<void> {
  await live.query(INSERT_ORGANIZATIONS);
  await live.query(INSERT_CONTACTS);
  await live.query(INSERT_CLIENTS);
  await live.query(UNDELETE);
  await copyDeposits(loaded, live);
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
