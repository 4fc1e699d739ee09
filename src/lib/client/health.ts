import { KeyTrusteeError } from '../core/errors.ts';
import { readJson, reasonOf } from './answers.ts';
import { type Attempt, exchange, type Peer } from './http.ts';
import type { ServerRole, ServerState } from './types.ts';

const ROLES: readonly unknown[] = ['alone', 'active', 'passive', 'fenced'] satisfies ServerRole[];

/** Asks a server whether it can serve, and what it is. One that is older does not say what it is. */
export async function askReadiness(attempt: Attempt): Promise<ServerState> {
  const { peer } = attempt;
  const { url } = peer;
  try {
    const answer = await exchange(attempt, { method: 'GET', path: '/v1/health/ready' });
    const { ready, role, writes, reason } = readJson<Record<string, unknown>>(peer, answer);
    const known = ROLES.includes(role) ? (role as ServerRole) : null;
    const takesWrites = typeof writes === 'boolean' ? writes : null;
    return {
      ...{ url, answers: true, ready: ready === true, role: known, writes: takesWrites },
      reason: takesWrites === false ? reasonOf(reason) : null,
    };
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    return { url, answers: false, ready: false, role: null, writes: null, reason: error.message };
  }
}

/** How long a server is waited for whose work nobody waits for; milliseconds. */
const SHORT = 5000;

/** An attempt of its own at a server, which nothing else ends. */
export function attemptAt(peer: Peer, timeout: number): Attempt {
  return {
    peer,
    end: performance.now() + Math.min(timeout, SHORT),
    round: 0,
    signal: new AbortController().signal,
  };
}

/** Asks all servers at once how they are. */
export async function askServers(all: Peer[], timeout: number): Promise<ServerState[]> {
  return Promise.all(all.map((peer) => askReadiness(attemptAt(peer, timeout))));
}
