import { type Refusal, readJson, refusal } from './answers.ts';
import { exchange, type HttpAnswer, type HttpRequest, type Peer } from './http.ts';
import { type ClientKey, signChallenge } from './key.ts';
import type { Attempt } from './retry.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
/** A server that started anew between challenge and session does not know its challenge any more. */
const LOGINS = 3;

/** Sends JSON, and takes an answer of one of these statuses. */
export async function postJson(
  { peer, time }: Attempt,
  path: string,
  value: unknown,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  const body = Buffer.from(JSON.stringify(value));
  const answer = await exchange(
    peer,
    { method: 'POST', path, body, headers: { ...JSON_TYPE, ...headers } },
    time,
  );
  if (answer.status !== 200 && answer.status !== 201) throw refusal(peer, answer);
  return answer;
}

/** Gets a fresh challenge and signs it. */
export async function prove(
  attempt: Attempt,
  key: ClientKey,
): Promise<{ challenge: string; signature: string }> {
  const answer = await postJson(attempt, '/v1/challenges', {});
  const { challenge } = readJson<{ challenge: string }>(attempt.peer, answer);
  return { challenge, signature: await signChallenge(key, String(challenge)) };
}

/** The sessions of this run, one for each server. They lie in no file: a session is shorter than what it would save. */
export type Sessions = Map<Peer, Promise<string>>;

async function open(attempt: Attempt, key: ClientKey): Promise<string> {
  const { fingerprint } = key;
  const proof = await prove(attempt, key);
  const answer = await postJson(attempt, '/v1/sessions', { fingerprint, ...proof });
  return readJson<{ session: string }>(attempt.peer, answer).session;
}

function sessionOf(sessions: Sessions, attempt: Attempt, key: ClientKey): Promise<string> {
  const { peer } = attempt;
  const known = sessions.get(peer);
  if (known !== undefined) return known;
  const opened = open(attempt, key);
  sessions.set(peer, opened);
  opened.catch(() => sessions.get(peer) === opened && sessions.delete(peer));
  return opened;
}

/** Sends a request in a session, which is opened where there is none, or none any more. Any status is an answer. */
export async function inSession(
  sessions: Sessions,
  key: ClientKey,
  attempt: Attempt,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const { peer, time } = attempt;
  for (let login = 1; ; login += 1) {
    const opened = sessionOf(sessions, attempt, key);
    try {
      const headers = { ...request.headers, authorization: `Bearer ${await opened}` };
      const answer = await exchange(peer, { ...request, headers }, time);
      if (answer.status !== 401 || login === LOGINS) return answer;
      if (sessions.get(peer) === opened) sessions.delete(peer);
    } catch (error) {
      if ((error as Refusal).httpStatus !== 401 || login === LOGINS) throw error;
    }
  }
}
