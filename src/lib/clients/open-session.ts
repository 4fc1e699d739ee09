import { Refusal } from '../core/refusal.ts';
import type { Trail } from '../core/trail.ts';
import { type Databases, queryAnywhere, refuseMakeshift } from '../database/anywhere.ts';
import { checkStanding, STANDING, type Standing } from '../database/standing.ts';
import { checkProof, type Prover, type SignedChallenge } from './proof.ts';
import type { Sessions } from './session.ts';

/** What opens sessions. */
export interface Doorkeeper extends Prover, Databases {
  trail: Trail;
  sessions: Sessions;
  /** How long a session lasts; seconds. */
  seconds: number;
}

interface Row {
  public_key: string;
  standing: Standing;
}

const QUERY = `
  select public_key, ${STANDING} as standing
  from public.client join public.organization on organization.id = organization_id
  where fingerprint = $1`;

/** Whose key signed the challenge. What was registered and has expired since is refused like a wrong signature. */
async function recognize(door: Doorkeeper, fingerprint: string, signed: SignedChallenge): Promise<void> {
  const answer = await queryAnywhere<Row>(door, {
    name: 'session-client',
    text: QUERY,
    values: [fingerprint],
  });
  const [row] = answer.rows;
  if (row === undefined) refuseMakeshift(answer);
  try {
    await checkProof(door, row?.public_key ?? null, signed);
  } catch (error) {
    throw error instanceof Refusal && error.code === 'invalid_request'
      ? new Refusal('unauthenticated')
      : error;
  }
  checkStanding(row);
}

/**
 * Opens a session for a client that signed a challenge with its key. One that nobody knows is refused like a wrong
 * signature; that a client is stopped is told only to the client itself.
 */
export async function openSession(
  door: Doorkeeper,
  { fingerprint, ...signed }: SignedChallenge & { fingerprint: string },
  from: string,
): Promise<{ session: string; expires: Date }> {
  try {
    await recognize(door, fingerprint, signed);
    const opened = door.sessions.open({ fingerprint }, door.seconds);
    const what = { expires: opened.expires.toISOString() };
    await door.trail.note({
      ...{ event: 'session.open', who: `client:${fingerprint}`, from, what, outcome: 'done' },
    });
    return opened;
  } catch (error) {
    if (error instanceof Refusal) error.about = { client: fingerprint };
    throw error;
  }
}
