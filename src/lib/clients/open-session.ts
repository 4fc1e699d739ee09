import { Refusal } from '../core/refusal.ts';
import type { Trail } from '../core/trail.ts';
import type { DatabasePool } from '../database/pool.ts';
import { checkStanding, STANDING, type Standing } from '../database/standing.ts';
import { checkProof, type Prover, type SignedChallenge } from './proof.ts';
import type { Sessions } from './session.ts';

/** What opens sessions. */
export interface Doorkeeper extends Prover {
  pool: DatabasePool;
  trail: Trail;
  sessions: Sessions;
  /** How long a session lasts; seconds. */
  seconds: number;
}

interface Row {
  id: string;
  public_key: string;
  standing: Standing;
}

const QUERY = `
  select client.id, public_key, ${STANDING} as standing
  from public.client join public.organization on organization.id = organization_id
  where fingerprint = $1`;

/** Opens a session for a client that signed a challenge with its key; a client that nobody knows is refused like a wrong signature. */
export async function openSession(
  door: Doorkeeper,
  { fingerprint, ...signed }: SignedChallenge & { fingerprint: string },
  from: string,
): Promise<{ session: string; expires: Date }> {
  const {
    rows: [row],
  } = await door.pool.query<Row>(QUERY, [fingerprint]);
  await checkProof(door, row?.public_key ?? null, signed).catch((error: unknown) => {
    // What was registered and is expired since is no better than a wrong signature to whoever did not prove anything.
    throw error instanceof Refusal && error.code === 'invalid_request'
      ? new Refusal('unauthenticated')
      : error;
  });
  checkStanding(row);
  const opened = door.sessions.open({ clientId: row.id, fingerprint }, door.seconds);
  await door.trail.note({
    event: 'session.open',
    who: `client:${fingerprint}`,
    from,
    what: { expires: opened.expires.toISOString() },
    outcome: 'done',
  });
  return opened;
}
