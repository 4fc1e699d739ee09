import { createHash, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../core/refusal.ts';
import type { Room } from '../core/room.ts';
import type { Trail } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { type DatabasePool, withPooledTransaction } from '../database/pool.ts';
import { enqueueMail } from '../mail/queue.ts';
import type { ClientState } from './client.ts';
import { checkProof, type Prover, type SignedChallenge } from './proof.ts';

/** What registers clients. */
export interface Registrar extends Prover {
  pool: DatabasePool;
  trail: Trail;
  room: Room;
}

/** What a machine says of itself. Without a code it waits for the approval of an administrator. */
export interface Registration extends SignedChallenge {
  organization: string;
  name: string;
  /** Armour. */
  publicKey: string;
  code: string;
}

/** How a client is registered. */
export interface Registered {
  /** Whether it was not known before. */
  isNew: boolean;
  client: { fingerprint: string; organization: string; name: string; state: ClientState };
}

interface Organization {
  id: string;
  auth_secret: string;
  disabled: boolean;
}

interface Known {
  id: string;
  organization_id: string;
  name: string;
  state: ClientState;
}

/** Clients of an organization that may wait for approval; more are refused. */
const MOST_WAITING = 100;
/** While so many others wait, no administrator gets a mail for one more. */
const MOST_ASKED = 10;
const CROWDED = 'too many clients of the organization wait for approval: bring its code, or try again later';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Finds the organization. One that nobody knows is refused like a wrong code, and after the same work. */
async function admit(
  database: Database,
  { organization, code }: Registration,
): Promise<{ organization: Organization; isApproved: boolean }> {
  const { rows } = await database.query<Organization>(
    `select id, auth_secret, state <> 0 or coalesce(expires_at <= now(), false) as disabled
     from public.organization where name = $1 for key share`,
    [organization],
  );
  const [row] = rows;
  const isRight = timingSafeEqual(digest(code), digest(row?.auth_secret ?? ''));
  const isOpen = row?.auth_secret === '';
  if (row === undefined || (code !== '' && !isRight && !isOpen)) throw new Refusal('wrong_code');
  if (row.disabled) throw new Refusal('organization_disabled');
  return { organization: row, isApproved: isRight || isOpen };
}

/** Asks every administrator of the organization, unless one still has a link that is good. */
async function askForApproval(
  database: Database,
  clientId: string,
  organizationId: string,
  address: string,
): Promise<void> {
  const { rows } = await database.query<{ id: string }>(
    `select id from public.contact where organization_id = $2 and not exists (
       select from public.client_approval where client_id = $1 and used_at is null and expires_at > now())
     order by id`,
    [clientId, organizationId],
  );
  for (const { id } of rows) {
    await enqueueMail(database, { kind: 'approval', clientId, contactId: id, address });
  }
}

/** Adds the client, or finds the one that is there; two requests for one key end up with one row. */
async function findOrAdd(
  database: Database,
  client: {
    fingerprint: string;
    publicKey: string;
    name: string;
    organizationId: string;
    state: ClientState;
    hasRoom: boolean;
  },
): Promise<Known & { isNew: boolean }> {
  const { organizationId, fingerprint, name, publicKey, state, hasRoom } = client;
  const added = await database.query<Known>(
    `insert into public.client (organization_id, fingerprint, name, public_key, state, activated_at)
     select $1::bigint, $2, $3, $4, $5, case when $5 = 'active' then now() end where $6::boolean
     on conflict (fingerprint) do nothing returning id, organization_id, name, state`,
    [organizationId, fingerprint, name, publicKey, state, hasRoom],
  );
  if (added.rows[0] !== undefined) return { ...added.rows[0], isNew: true };
  const found = await database.query<Known>(
    'select id, organization_id, name, state from public.client where fingerprint = $1 for update',
    [fingerprint],
  );
  const [known] = found.rows;
  // Where there was room it was removed between the two: as good as a conflict, and over when it is tried again.
  if (known === undefined) throw new Refusal(hasRoom ? 'unavailable' : 'no_room');
  return { ...known, isNew: false };
}

/** Bounds what strangers can do to an organization: how many wait, and how many mails its administrators get. */
async function wait(database: Database, known: Known & { isNew: boolean }, address: string): Promise<void> {
  const { id, organization_id: organizationId, isNew } = known;
  const { rows } = await database.query<{ others: number }>(
    `select count(*)::integer as others from public.client where organization_id = $1 and state = 'pending' and id <> $2`,
    [organizationId, id],
  );
  const others = rows[0]?.others ?? 0;
  if (isNew && others >= MOST_WAITING) throw new Refusal('rate_limited', CROWDED);
  if (others < MOST_ASKED) await askForApproval(database, id, organizationId, address);
}

/** Makes a client that waits active, because it has brought the code now. Whoever was stopped stays so. */
async function approve(database: Database, { id, state }: Known, isApproved: boolean): Promise<ClientState> {
  if (state === 'disabled') throw new Refusal('client_disabled');
  if (state === 'active' || !isApproved) return state;
  await database.query(`update public.client set state = 'active', activated_at = now() where id = $1`, [id]);
  return 'active';
}

/** Whoever proved to have a key, and whether there is room for one that is not known yet. */
interface Proven {
  fingerprint: string;
  publicKey: string;
  hasRoom: boolean;
}

async function enter(
  database: Database,
  asked: Registration,
  proven: Proven,
  from: string,
): Promise<Registered> {
  const { organization, isApproved } = await admit(database, asked);
  const wanted = isApproved ? 'active' : 'pending';
  const { name } = asked;
  const row = { ...proven, name, organizationId: organization.id, state: wanted } as const;
  const known = await findOrAdd(database, row);
  if (known.organization_id !== organization.id)
    throw new Refusal('conflict', 'the client belongs to another organization');
  const state = await approve(database, known, isApproved);
  if (state === 'pending') await wait(database, known, from);
  return {
    isNew: known.isNew,
    client: { fingerprint: proven.fingerprint, organization: asked.organization, name: known.name, state },
  };
}

/**
 * Registers a client that proved that it holds its key: in one transaction with the mails that ask for its approval, and
 * recorded in the audit trail before it counts. Done again, it changes nothing but a client that waits and has the code now.
 */
export async function registerClient(
  { pool, trail, room, ...prover }: Registrar,
  asked: Registration,
  from: string,
): Promise<Registered> {
  const { fingerprint, publicKey } = await checkProof(prover, asked.publicKey, asked);
  const proven = { fingerprint, publicKey, hasRoom: await room.has(publicKey.length) };
  try {
    return await withPooledTransaction(pool, async (database) => {
      const registered = await enter(database, asked, proven, from);
      const { organization, state } = registered.client;
      const what = { organization, state, new: registered.isNew };
      await trail.change({
        ...{ event: 'client.register', who: `client:${fingerprint}`, from, what, outcome: 'done' },
      });
      return registered;
    });
  } catch (error) {
    if (error instanceof Refusal) error.about = { client: fingerprint, organization: asked.organization };
    throw error;
  }
}
