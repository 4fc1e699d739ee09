import { failure, type KeyTrusteeError, type StatusName } from '../core/errors.ts';
import type { HttpAnswer, Peer } from './http.ts';

/** What each refusal of a server means for the person at the client. */
const MEANINGS: Record<string, [status: StatusName, message: string, hint?: string]> = {
  unauthenticated: [
    'state',
    'the server does not know this client',
    'keytrustee register makes it known; a passive server learns it from the active one',
  ],
  client_pending: [
    'state',
    'this client waits for approval',
    'an administrator of the organization approves it; or register again with its authorization code',
  ],
  client_disabled: ['permission', 'this client was stopped', 'ask an administrator of the organization'],
  organization_disabled: [
    'permission',
    'the organization of this client was stopped',
    'ask the administrator of the server',
  ],
  not_found: [
    'notFound',
    'there is no such deposit',
    'keytrustee list shows what this client keeps; --deleted, what it deleted',
  ],
  read_only: [
    'state',
    'it is a passive server, which writes nothing',
    'name the active server: keytrustee register --server; this one writes once it is promoted: ktadmin ha promote, there',
  ],
  fenced: [
    'state',
    'its passive server was promoted, and it serves nobody',
    'ktadmin ha rejoin, there, makes it the passive server',
  ],
  passive_away: [
    'state',
    'its passive server is away, and it writes nothing that it alone would have',
    'it does when the passive server is back',
  ],
  database_away: ['unreachable', 'its database does not answer, or has too much to do'],
  unconfirmed: ['unreachable', 'it does not know whether its passive server has it too'],
  no_room: [
    'failed',
    'the server has no room: it takes no more deposits and clients for now',
    'its administrator has to make room; what is kept there can be fetched and deleted meanwhile',
  ],
  wrong_code: [
    'untrusted',
    'the organization or the authorization code is wrong',
    'ask an administrator of the organization for the code',
  ],
};

/** Why a server takes no writes, by its own word for it; null where it has none that is known. */
export const reasonOf = (code: unknown): string | null =>
  typeof code === 'string' ? (MEANINGS[code]?.[1] ?? null) : null;

/** What a server refuses because of what it is now: another may do it, and it itself later. Nothing was written. */
const STATE_REASONS = new Set(['read_only', 'fenced', 'passive_away']);

/** What says of a server "it" or "its": the server is named before. */
const OF_SERVER = new Set([...STATE_REASONS, 'database_away', 'unconfirmed']);

/** Whether a server refused because of what it is now. */
export const isOfState = ({ reason }: Refusal): boolean => STATE_REASONS.has(reason ?? '');

/** Whether an answer says for sure that its request changed nothing. */
export function wroteNothing(answer: HttpAnswer): boolean {
  if (answer.status < 300) return false;
  const { code, message } = errorOf(answer);
  return (
    answer.status < 500 ||
    STATE_REASONS.has(code) ||
    code === 'database_away' ||
    code === 'no_room' ||
    message.includes('nothing was written')
  );
}

/** The status of an exit for an answer that has no meaning of its own. */
function statusOf({ status }: HttpAnswer): StatusName {
  if (status === 400 || status === 413 || status === 415) return 'usage';
  if (status === 404) return 'notFound';
  if (status === 409) return 'conflict';
  if (status === 422) return 'untrusted';
  if (status === 429 || (status >= 500 && status !== 507)) return 'unreachable';
  return 'failed';
}

/** Text of a server as a terminal may show it: one short line, nothing that a terminal would obey. */
function plain(text: unknown): string {
  if (typeof text !== 'string') return '';
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 300);
}

/** The answer's JSON; what is none is refused. */
export function readJson<T>(peer: Peer, { body }: HttpAnswer): T {
  try {
    const value = JSON.parse(body.toString('utf8')) as T;
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below.
  }
  throw failure('failed', `${peer.url} gave an answer that is no Key Trustee Server's`);
}

function errorOf({ body }: HttpAnswer): { code: string; message: string } {
  try {
    const { error } = JSON.parse(body.toString('utf8')) as { error?: { code?: unknown; message?: unknown } };
    return { code: plain(error?.code), message: plain(error?.message) };
  } catch {
    return { code: '', message: '' };
  }
}

/** An error that an answer told, or that none did. */
export interface Refusal extends KeyTrusteeError {
  /** The answer's status of HTTP. */
  httpStatus?: number;
  /** The server's own word for it. */
  reason?: string;
  /** Set where the call's time was over before the server could answer. */
  isOutOfTime?: boolean;
  /** Milliseconds that the server wants to be left alone. */
  retryAfter?: number;
}

/** The error of an answer that is a refusal. */
export function refusal(peer: Peer, answer: HttpAnswer): Refusal {
  const { code, message: said } = errorOf(answer);
  const words = said === '' ? `status ${answer.status}` : said;
  const [status, message, hint] = MEANINGS[code] ?? [statusOf(answer), `${peer.url}: ${words}`];
  const seconds = Number(answer.headers['retry-after']);
  return Object.assign(failure(status, OF_SERVER.has(code) ? `${peer.url}: ${message}` : message, hint), {
    httpStatus: answer.status,
    reason: code,
    ...(seconds > 0 ? { retryAfter: seconds * 1000 } : {}),
  });
}
