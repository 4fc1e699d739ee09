import { failure, KeyTrusteeError } from '../core/errors.ts';
import { refusal } from './answers.ts';
import { attemptAt } from './health.ts';
import { exchange, type Peer } from './http.ts';
import type { ClientOptions } from './types.ts';

/** As the original product answers: the key's size and kind, and its fingerprint. */
const FORM = /^[0-9]+[A-Za-z]\/[0-9A-F]{40}$/;

/** The fingerprint of a server's key, or the error of a server that does not tell it now. */
async function fingerprintOf(peer: Peer, timeout: number): Promise<string | KeyTrusteeError> {
  try {
    const answer = await exchange(attemptAt(peer, timeout), { method: 'GET', path: '/?a=fingerprint' });
    const text = answer.body.toString('latin1').trim();
    if (answer.status === 200 && FORM.test(text)) return text;
    const told = refusal(peer, answer);
    if (told.code === 'unreachable') return told;
  } catch (error) {
    if (error instanceof KeyTrusteeError && error.code === 'unreachable') return error;
    throw error;
  }
  throw failure('failed', `${peer.url} gave an answer that is no Key Trustee Server's`);
}

/**
 * Refuses two servers that are none of one pair: they have different keys, and what one keeps the other would never have.
 * One that does not answer cannot be compared, which is told.
 */
export async function checkPair(
  all: Peer[],
  { timeout, warn }: { timeout: number; warn: ClientOptions['warn'] },
): Promise<void> {
  const [active, passive] = all;
  if (active === undefined || passive === undefined) return;
  const [one, other] = await Promise.all(all.map((peer) => fingerprintOf(peer, timeout)));
  if (other instanceof KeyTrusteeError) {
    warn?.(`${other.message}: whether it belongs to ${active.url} could not be checked`);
  } else if (one instanceof KeyTrusteeError) {
    warn?.(`${one.message}: whether ${passive.url} belongs to it could not be checked`);
  } else if (one !== other) {
    throw failure(
      'untrusted',
      `${active.url} has the fingerprint ${one}, and ${passive.url} has ${other}: they are no pair`,
      'the passive server of a pair has the same key as the active one; check both addresses',
    );
  }
}
