import { type Refusal, readJson, refusal } from './answers.ts';
import type { Attempt, HttpAnswer, HttpRequest, Peer } from './http.ts';
import { type ClientKey, signChallenge } from './key.ts';
import { type Course, exchangeWrite } from './outcome.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
/** A server that started anew between challenge and session does not know its challenge any more. */
const LOGINS = 3;

/** Sends JSON, and takes an answer of one of these statuses. With a course it is a write. */
export async function postJson(
  attempt: Attempt,
  path: string,
  value: unknown,
  course?: Course,
): Promise<HttpAnswer> {
  const body = Buffer.from(JSON.stringify(value));
  const request: HttpRequest = { method: 'POST', path, body, headers: JSON_TYPE };
  const answer = await exchangeWrite(attempt, request, course);
  if (answer.status !== 200 && answer.status !== 201) throw refusal(attempt.peer, answer);
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

/**
 * Sends a request in a session, which is opened where there is none, or none any more. Any status is an answer. With a
 * course it is a write.
 */
export async function inSession(
  sessions: Sessions,
  key: ClientKey,
  attempt: Attempt,
  { request, course }: { request: HttpRequest; course?: Course | undefined },
): Promise<HttpAnswer> {
  const { peer } = attempt;
  for (let login = 1; ; login += 1) {
    const opened = sessionOf(sessions, attempt, key);
    try {
      const headers = { ...request.headers, authorization: `Bearer ${await opened}` };
      const answer = await exchangeWrite(attempt, { ...request, headers }, course);
      if (answer.status !== 401 || login === LOGINS) return answer;
      if (sessions.get(peer) === opened) sessions.delete(peer);
    } catch (error) {
      if ((error as Refusal).httpStatus !== 401 || login === LOGINS) throw error;
    }
  }
}
