import { Refusal } from '../core/refusal.ts';

/** Wrong codes of one address that are answered, and for how long they count; milliseconds. */
const WRONG_CODES = 10;
const PAUSE = 60_000;
/** Addresses that are remembered; then all are forgotten, which the general limit by address bears. */
const REMEMBERED = 100_000;
/** Registrations of one address that wait while others are judged. */
const WAITING = 100;

/** Stops whoever guesses authorization codes: after ten wrong ones an address is not listened to for a minute (HS-3). */
export interface GuessGuard {
  /**
   * Has a code judged that an address brought, or refuses it. Until it is judged it counts as wrong: those that are sent
   * at once are no more guesses than those that are sent one after the other. Who may be right waits for its turn.
   */
  judge<T>(address: string, judged: () => Promise<T>): Promise<T>;
}

interface Guesses {
  wrong: number;
  until: number;
  /** Codes that are being judged. */
  open: number;
  /** Whoever waits for one of those. */
  waiting: (() => void)[];
}

/** Waits until one more code of an address may be judged. */
async function admit(guesses: Guesses): Promise<void> {
  for (;;) {
    if (guesses.until <= performance.now()) guesses.wrong = 0;
    if (guesses.wrong >= WRONG_CODES || guesses.waiting.length >= WAITING) throw new Refusal('rate_limited');
    if (guesses.wrong + guesses.open < WRONG_CODES) break;
    await new Promise<void>((resolve) => guesses.waiting.push(resolve));
  }
  guesses.open++;
}

function leave(guesses: Guesses, isWrong: boolean): void {
  guesses.open--;
  if (isWrong) {
    guesses.wrong++;
    guesses.until = performance.now() + PAUSE;
  }
  // After the last wrong one nobody's turn comes: all are told.
  for (const next of guesses.waiting.splice(0, guesses.wrong >= WRONG_CODES ? Infinity : 1)) next();
}

/** Makes the guard of one process. */
export function guessGuard(): GuessGuard {
  const known = new Map<string, Guesses>();
  return {
    async judge(address, judged) {
      if (known.size >= REMEMBERED) known.clear();
      const guesses = known.get(address) ?? { wrong: 0, until: 0, open: 0, waiting: [] };
      known.set(address, guesses);
      await admit(guesses);
      let isWrong = false;
      try {
        return await judged();
      } catch (error) {
        isWrong = error instanceof Refusal && error.code === 'wrong_code';
        throw error;
      } finally {
        leave(guesses, isWrong);
        if (guesses.wrong + guesses.open + guesses.waiting.length === 0) known.delete(address);
      }
    },
  };
}
