import { randomBytes } from 'node:crypto';
import { type Seal, sealFor } from '../core/seal.ts';

/** How long a challenge may be answered; seconds. */
const CHALLENGE_SECONDS = 60;

/** A text that a client signs to show that it holds its key. It is good for one use, by one server, for a minute. */
export interface Challenge {
  challenge: string;
  expires: Date;
}

/** What makes challenges and recognizes them: nothing of them is kept, so that a read-only server can do it, too. */
export interface Challenges {
  make(): Challenge;
  /** When a challenge ends that this server made and that is still good. */
  check(challenge: string): Date | undefined;
}

/**
 * Challenges of one run of a server. They name the server, so that a client can refuse one that was passed on to it from
 * another: `keytrustee-challenge-1.<the server's 40 hex digits>.<end, ms>.<nonce>.<code>`.
 */
export function challengesOf(secret: Buffer, server: string): Challenges {
  const seal: Seal = sealFor('keytrustee-challenge-1', secret);
  return {
    make() {
      const expires = new Date(Date.now() + CHALLENGE_SECONDS * 1000);
      const nonce = randomBytes(16).toString('base64url');
      return { challenge: seal.close([server, String(expires.getTime()), nonce]), expires };
    },
    check(challenge) {
      const [named, expires] = seal.open(challenge) ?? [];
      const end = new Date(Number(expires));
      return named === server && end.getTime() > Date.now() ? end : undefined;
    },
  };
}
