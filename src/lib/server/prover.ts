import { challengesOf } from '../clients/challenge.ts';
import type { Prover } from '../clients/proof.ts';
import type { Services } from './services.ts';

/** What checks the proofs of clients at this server. */
export function proverOf({ secret, settings, keys, spend }: Services): Prover {
  const server = settings.configuration.LOCAL_FINGERPRINT.replace(/^.*\//, '');
  return { challenges: challengesOf(secret, server), keys, spend };
}
