import type { ClientRequest, IncomingHttpHeaders } from 'node:http';
import { Agent, request as startRequest } from 'node:https';
import { errorCode, failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';

/** No answer of a server is longer than this, a page of a thousand deposits included; bytes. */
const LARGEST_ANSWER = 8 * 1024 * 1024;
/** A connection that does nothing for this long is dead; milliseconds. A server answers a write within 15 seconds, if only that it does not know. */
const SILENCE = 20_000;
/** How long a connection may take to be made at the first try, and at the last ones; milliseconds. */
const CONNECTING = 5000;

/** A server that a client talks to. */
export interface Peer {
  url: string;
  host: string;
  port: number;
  agent: Agent;
}

/** One request. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

/** One attempt at a server, and what bounds it. */
export interface Attempt {
  peer: Peer;
  /** When everything has to be over; milliseconds as `performance.now()` has them. */
  end: number;
  /** How often all servers were tried before: connections get more time then. */
  round: number;
  /** Aborted when the answer is not wanted any more. */
  signal: AbortSignal;
}

/** Its answer, whatever the status. */
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** How a server's certificate is checked: against these certificates, else the system's; or not at all. */
export interface Trust {
  caCertificate?: string | undefined;
  skipSslCheck?: boolean | undefined;
}

/** Prepares to talk to a server, on connections that stay open. Redirects are never followed. */
export function peerAt(url: string, { caCertificate, skipSslCheck }: Trust): Peer {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const agent = new Agent({
    keepAlive: true,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: skipSslCheck !== true,
    ...(caCertificate === undefined ? {} : { ca: caCertificate }),
  });
  return { url, host, port: port === '' ? 443 : Number(port), agent };
}

const CERTIFICATE_FAULT =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH|ERR_TLS_CERT)/;

function transportError(peer: Peer, error: unknown): Error {
  if (interruption.aborted) return interruption.reason as Error;
  const code = errorCode(error);
  const reason = error instanceof Error ? error.message : String(error);
  if (code !== undefined && CERTIFICATE_FAULT.test(code)) {
    return failure(
      'untrusted',
      `the certificate of ${peer.url} is not trusted: ${reason}`,
      'register again with --ca-file and the certificate that vouches for it',
      error,
    );
  }
  const brief = code === 'EPROTO' ? 'it does not speak TLS as we do' : (code ?? reason);
  return failure('unreachable', `${peer.url} does not answer (${brief})`, 'is the server running?', error);
}

async function readBody(peer: Peer, pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const kept: Buffer[] = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > LARGEST_ANSWER) throw failure('untrusted', `${peer.url} sent more than any answer has`);
    kept.push(piece);
  }
  return Buffer.concat(kept);
}

/** Gives a new connection so long to be made, and tells when the request can go out: before, the server has nothing of it. */
function watchConnecting(call: ClientRequest, round: number, sent: () => void): void {
  call.once('socket', (socket) => {
    if (call.reusedSocket) return sent();
    const time = Math.min(SILENCE, CONNECTING * 2 ** Math.min(round, 10));
    const timer = setTimeout(() => call.destroy(new Error('no connection in time')), time);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      sent();
    });
    call.once('close', () => clearTimeout(timer));
  });
}

function send(
  { peer, round }: Attempt,
  { body, ...request }: HttpRequest,
  signal: AbortSignal,
  sent: () => void,
): Promise<HttpAnswer> {
  const { host, port, agent } = peer;
  const headers = { ...request.headers, ...(body === undefined ? {} : { 'content-length': body.length }) };
  return new Promise((resolve, reject) => {
    const call = startRequest({ ...request, host, port, agent, headers, signal, timeout: SILENCE });
    watchConnecting(call, round, sent);
    call.once('timeout', () => call.destroy(new Error('silence')));
    call.once('error', reject);
    call.once('response', (response) => {
      const answer = { status: response.statusCode ?? 0, headers: response.headers };
      readBody(peer, response).then((read) => resolve({ ...answer, body: read }), reject);
    });
    call.end(body);
  });
}

/** Sends one request and reads the whole answer. `sent` is called as soon as the server may have something of it. */
export async function exchange(
  attempt: Attempt,
  request: HttpRequest,
  sent: () => void = () => undefined,
): Promise<HttpAnswer> {
  const { peer, end } = attempt;
  const controller = new AbortController();
  const stop = () => controller.abort();
  const timer = setTimeout(stop, Math.max(1, end - performance.now()));
  const stoppers = [interruption, attempt.signal];
  for (const stopper of stoppers) stopper.addEventListener('abort', stop);
  if (stoppers.some(({ aborted }) => aborted)) stop();
  try {
    return await send(attempt, request, controller.signal, sent);
  } catch (error) {
    if ((error as Error).name === 'KeyTrusteeError') throw error;
    if (!controller.signal.aborted) throw transportError(peer, error);
    throw Object.assign(transportError(peer, new Error('no answer in time')), { isOutOfTime: true });
  } finally {
    clearTimeout(timer);
    for (const stopper of stoppers) stopper.removeEventListener('abort', stop);
  }
}
