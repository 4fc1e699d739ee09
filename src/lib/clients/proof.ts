import { setTimeout as delay } from 'node:timers/promises';
import { Refusal } from '../core/refusal.ts';
import type { KeyThread } from '../gpg/key-thread.ts';
import type { Challenges } from './challenge.ts';

/** What a proof is checked with. */
export interface Prover {
  challenges: Challenges;
  keys: KeyThread;
  /** Takes a challenge out of use; false where it was used before. */
  spend(challenge: string, expires: number): Promise<boolean>;
}

/** A challenge and the detached OpenPGP signature over its characters. */
export interface SignedChallenge {
  challenge: string;
  signature: string;
}

/**
 * Checks that whoever asks holds a key: gives its fingerprint and the key in clean armour. Everything that can be wrong
 * with the proof is one refusal. `key` is null where the client is not known; the same is computed then.
 */
export async function checkProof(
  { challenges, keys, spend }: Prover,
  key: string | null,
  { challenge, signature }: SignedChallenge,
): Promise<{ fingerprint: string; publicKey: string }> {
  const end = challenges.check(challenge);
  if (end === undefined) throw new Refusal('unauthenticated');
  const proof = await keys.prove({ key, signature, text: challenge });
  if ('refused' in proof) throw new Refusal('invalid_request', `the key is not taken: ${proof.refused}`);
  if (!proof.isProven || !(await spend(challenge, end.getTime()))) throw new Refusal('unauthenticated');
  return proof;
}

/** No refusal of a stranger is told sooner after its request, milliseconds: longer than all that is computed for one. */
const NO_SOONER = 100;

/** Makes every refusal take the same time, whatever it is that was wrong. */
export async function refuseSlowly<T>(work: () => Promise<T>): Promise<T> {
  const due = performance.now() + NO_SOONER;
  try {
    return await work();
  } catch (error) {
    await delay(Math.max(0, due - performance.now()));
    throw error;
  }
}
