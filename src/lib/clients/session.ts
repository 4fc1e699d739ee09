import { randomBytes } from 'node:crypto';
import { sealFor } from '../core/seal.ts';

/**
 * Whom a session belongs to: a key, and not a row, whose number may be another client's after a restore. Whether it may
 * still be served is asked of the database at every request.
 */
export interface Session {
  fingerprint: string;
}

/** What makes session tokens and recognizes them. */
export interface Sessions {
  open(session: Session, seconds: number): { session: string; expires: Date };
  /** The session of a token that was made here and has not ended. */
  check(token: string): Session | undefined;
}

/** Tokens that were found good are remembered up to this many; then all are forgotten and checked anew. */
const REMEMBERED = 10_000;

/** Sessions of one run of a server: sealed texts, kept nowhere, so that a read-only server can open them, too. */
export function sessionsOf(secret: Buffer): Sessions {
  const seal = sealFor('keytrustee-session-1', secret);
  const good = new Map<string, { session: Session; end: number }>();
  function verify(token: string) {
    const [fingerprint, end] = seal.open(token) ?? [];
    if (fingerprint === undefined) return undefined;
    const known = { session: { fingerprint }, end: Number(end) };
    if (good.size >= REMEMBERED) good.clear();
    good.set(token, known);
    return known;
  }
  return {
    open({ fingerprint }, seconds) {
      const expires = new Date(Date.now() + seconds * 1000);
      const nonce = randomBytes(16).toString('base64url');
      return { session: seal.close([fingerprint, String(expires.getTime()), nonce]), expires };
    },
    check(token) {
      const known = good.get(token) ?? verify(token);
      return known !== undefined && known.end > Date.now() ? known.session : undefined;
    },
  };
}
