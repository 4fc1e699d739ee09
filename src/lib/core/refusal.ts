import { KeyTrusteeError, type StatusName } from './errors.ts';

/** Why a request over HTTPS is not done, with the status that says so; clients are told the word, so it never changes. */
export const REFUSALS = {
  invalid_request: [400, 'the request is not what /v1 asks for'],
  unauthenticated: [401, 'the client is not known, or did not prove that it holds its key'],
  client_pending: [403, 'the client waits for the approval of its organization'],
  client_disabled: [403, 'the client is disabled'],
  organization_disabled: [403, 'the organization is disabled'],
  wrong_code: [403, 'the organization is not known, or its authorization code is another'],
  not_found: [404, 'there is no such thing'],
  conflict: [409, 'it conflicts with what is there'],
  too_large: [413, 'the request is too large'],
  unsupported_media_type: [415, 'the content is of another type than is taken here'],
  digest_mismatch: [422, 'the content is not what its digest says'],
  rate_limited: [429, 'too many requests: try again later'],
  // Not 503: that asks for another try in seconds, and only a person can help here.
  no_room: [507, 'the server has no room: it takes no more deposits and clients for now'],
  unavailable: [503, 'the server cannot answer now: try again later'],
  read_only: [503, 'this is the passive server: nothing was written, ask the active one'],
  fenced: [503, 'this server is fenced, because its pair went on without it: nothing was written'],
  passive_away: [503, 'the passive server is away, and writes need both: nothing was written'],
  database_away: [503, 'the database does not answer, or has too much to do: nothing was written'],
  unconfirmed: [503, 'it is not known whether it is kept: repeat the request'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

/** The word for why a request is refused. */
export type RefusalCode = keyof typeof REFUSALS;

/** Ends a request with one of the refusals. Its message is shown to whoever asked, so it holds nothing they may not know. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly code: RefusalCode;
  /** What the audit trail keeps of the request beside the code; never told to whoever asked. */
  about: Record<string, string> = {};

  constructor(code: RefusalCode, message: string = REFUSALS[code][1]) {
    super(message);
    this.code = code;
  }

  /** The status of the answer. */
  get status(): number {
    return REFUSALS[this.code][0];
  }
}

/** How a write is refused at a terminal: the same reasons as those of a request, with what to do about them. */
const AT_TERMINAL = {
  read_only: [
    'state',
    'nothing was written: this is the passive server',
    'run the command on the active one',
  ],
  fenced: [
    'state',
    'nothing was written: this server is fenced, because its pair went on without it',
    'ktadmin ha rejoin makes it the passive server',
  ],
  passive_away: [
    'state',
    'nothing was written: the passive server is away, and writes need both',
    'ktadmin ha status shows why',
  ],
  database_away: [
    'unreachable',
    'nothing was written: the database does not answer, or has too much to do',
    'ktadmin db status shows why',
  ],
  unconfirmed: [
    'unreachable',
    'it is not known whether it was done, and whether both servers keep it',
    'run the same command again: what is done already is not done twice',
  ],
} as const satisfies Partial<Record<RefusalCode, readonly [StatusName, string, string]>>;

/** Why the database does not take a write, or is not known to have taken it. Of all but the last, nothing was written. */
export type WriteRefusalCode = keyof typeof AT_TERMINAL;

/** A write that was refused, or whose outcome nobody knows: an error for the terminal, and `refusal` for clients. */
export class WriteRefusal extends KeyTrusteeError {
  readonly refusal: WriteRefusalCode;

  constructor(refusal: WriteRefusalCode, cause?: unknown) {
    const [code, message, hint] = AT_TERMINAL[refusal];
    super(code, message, hint, cause);
    this.refusal = refusal;
  }
}

/** Whether a write was refused because this server takes none, which for work beside the requests is no trouble. */
export function isNoWriter(error: unknown): boolean {
  return error instanceof WriteRefusal && (error.refusal === 'read_only' || error.refusal === 'fenced');
}
