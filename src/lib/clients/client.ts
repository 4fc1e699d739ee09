import { failure } from '../core/errors.ts';
import { quote } from '../core/quote.ts';
import { type Recorder, recordChange } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { withWriting } from '../database/gate.ts';

/** A client is pending until it is approved, then active; disabled means stopped. */
export const CLIENT_STATES = ['pending', 'active', 'disabled'] as const;
export type ClientState = (typeof CLIENT_STATES)[number];

/** A machine that keeps keys on the server. Its name is its OpenPGP fingerprint, 40 hex digits. Times are UTC. */
export interface Client {
  fingerprint: string;
  name: string;
  organization: string;
  state: ClientState;
  created: string;
  activated: string | null;
  disabled: string | null;
}

/** Checks a fingerprint as people give it: 40 hex digits, in groups or not, or qualified as `4096R/…`. */
export function checkFingerprint(text: string): string {
  const bare = text
    .replace(/^[0-9]+[A-Za-z]\//, '')
    .replaceAll(/[\s:]/g, '')
    .toUpperCase();
  if (!/^[0-9A-F]{40}$/.test(bare)) {
    throw failure(
      'usage',
      `${quote(text)} is not a fingerprint`,
      'a fingerprint has 40 hex digits; ktadmin orgtool list-clients shows them',
    );
  }
  return bare;
}

/** Adds a client that asks for approval. */
export async function addClient(
  database: Database,
  client: { organization: string; fingerprint: string; name: string; publicKey: string },
): Promise<void> {
  const { rowCount } = await database.query(
    `insert into public.client (organization_id, fingerprint, name, public_key)
     select id, $2, $3, $4 from public.organization where name = $1`,
    [client.organization, client.fingerprint, client.name, client.publicKey],
  );
  if (rowCount !== 1) throw failure('notFound', `there is no organization ${client.organization}`);
}

interface Row {
  fingerprint: string;
  name: string;
  organization: string;
  state: ClientState;
  created_at: Date;
  activated_at: Date | null;
  disabled_at: Date | null;
}

const SELECT = `
  select fingerprint, client.name, organization.name as organization, client.state, client.created_at, activated_at, disabled_at
  from public.client join public.organization on organization.id = organization_id`;

function toClient(row: Row): Client {
  const { fingerprint, name, organization, state } = row;
  return {
    fingerprint,
    name,
    organization,
    state,
    created: row.created_at.toISOString(),
    activated: row.activated_at?.toISOString() ?? null,
    disabled: row.disabled_at?.toISOString() ?? null,
  };
}

/** The clients of one organization or of all, of one state or of any, sorted by organization and fingerprint. */
export async function listClients(
  database: Database,
  organization?: string,
  state?: ClientState,
): Promise<Client[]> {
  if (organization !== undefined) {
    const { rowCount } = await database.query('select from public.organization where name = $1', [
      organization,
    ]);
    if (rowCount !== 1)
      throw failure(
        'notFound',
        `there is no organization ${organization}`,
        'ktadmin orgtool list shows those that exist',
      );
  }
  const { rows } = await database.query<Row>(
    `${SELECT} where ($1::text is null or organization.name = $1) and ($2::text is null or client.state = $2)
     order by organization.name, fingerprint`,
    [organization ?? null, state ?? null],
  );
  return rows.map(toClient);
}

/** What a change of a client's state did. */
export interface ClientChange {
  client: Client;
  before: ClientState;
}

async function lockClient(database: Database, fingerprint: string): Promise<Client> {
  const { rows } = await database.query<Row>(`${SELECT} where fingerprint = $1 for update of client`, [
    fingerprint,
  ]);
  const [row] = rows;
  if (row === undefined) {
    throw failure(
      'notFound',
      `there is no client ${fingerprint}`,
      'ktadmin orgtool list-clients shows those that exist',
    );
  }
  return toClient(row);
}

/**
 * Approves a client or starts it again (`active`), or stops it (`disabled`). With `organization` the client must belong
 * to it; with `from` it must be in that state, or be there already.
 */
export async function setClientState(
  database: Database,
  fingerprint: string,
  to: 'active' | 'disabled',
  recorder: Recorder,
  conditions: { organization?: string | undefined; from?: ClientState | undefined } = {},
): Promise<ClientChange> {
  return withWriting(database, async () => {
    const client = await lockClient(database, fingerprint);
    const { organization, from } = conditions;
    if (organization !== undefined && client.organization !== organization) {
      throw failure(
        'notFound',
        `client ${fingerprint} does not belong to ${organization}`,
        `ktadmin orgtool list-clients -n ${organization}`,
      );
    }
    if (client.state === to) return { client, before: to };
    if (from !== undefined && client.state !== from) {
      throw failure(
        'conflict',
        `client ${fingerprint} is ${client.state}, not ${from}`,
        `ktadmin orgtool enable-client --fingerprint ${fingerprint}`,
      );
    }
    const times = to === 'active' ? 'activated_at = now(), disabled_at = null' : 'disabled_at = now()';
    await database.query(`update public.client set state = $2, ${times} where fingerprint = $1`, [
      fingerprint,
      to,
    ]);
    await recordChange(recorder, to === 'active' ? 'client.enable' : 'client.disable', {
      client: fingerprint,
      organization: client.organization,
      before: client.state,
    });
    return { client: await lockClient(database, fingerprint), before: client.state };
  });
}
