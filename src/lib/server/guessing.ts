import { Refusal } from '../core/refusal.ts';

/** Wrong codes of one address that are answered, and for how long they count; milliseconds. */
const WRONG_CODES = 10;
const PAUSE = 60_000;
/** Addresses that are remembered; then all are forgotten, which the general limit by address bears. */
const REMEMBERED = 100_000;

/** Stops whoever guesses authorization codes: after ten wrong ones an address is not listened to for a minute (HS-3). */
export interface GuessGuard {
  /** Refuses an address that guessed too often, whatever it brings now. */
  check(address: string): void;
  /** Counts a wrong code. */
  count(address: string): void;
}

/** Makes the guard of one process. */
export function guessGuard(): GuessGuard {
  const wrong = new Map<string, { count: number; until: number }>();
  return {
    check(address) {
      const known = wrong.get(address);
      if (known !== undefined && known.until <= Date.now()) wrong.delete(address);
      else if (known !== undefined && known.count >= WRONG_CODES) throw new Refusal('rate_limited');
    },
    count(address) {
      if (wrong.size >= REMEMBERED) wrong.clear();
      const count = (wrong.get(address)?.count ?? 0) + 1;
      wrong.set(address, { count, until: Date.now() + PAUSE });
    },
  };
}
