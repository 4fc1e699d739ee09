import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request as startRequest } from 'node:https';
import { errorCode, failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';

/** No answer of a server is longer than this, a page of a thousand deposits included; bytes. */
const LARGEST_ANSWER = 8 * 1024 * 1024;
/** A connection that does nothing for this long is dead; milliseconds. */
const SILENCE = 20_000;

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

function transportError(peer: Peer, error: unknown): unknown {
  if (interruption.aborted) return interruption.reason;
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

function send(peer: Peer, { body, ...request }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  const { host, port, agent } = peer;
  const headers = { ...request.headers, ...(body === undefined ? {} : { 'content-length': body.length }) };
  return new Promise((resolve, reject) => {
    const call = startRequest({ ...request, host, port, agent, headers, signal, timeout: SILENCE });
    call.once('timeout', () => call.destroy(new Error('silence')));
    call.once('error', reject);
    call.once('response', (response) => {
      const answer = { status: response.statusCode ?? 0, headers: response.headers };
      readBody(peer, response).then((read) => resolve({ ...answer, body: read }), reject);
    });
    call.end(body);
  });
}

/** Sends one request and reads the whole answer; `time` is how many milliseconds that may take. */
export async function exchange(peer: Peer, request: HttpRequest, time: number): Promise<HttpAnswer> {
  const controller = new AbortController();
  const end = () => controller.abort();
  const timer = setTimeout(end, Math.max(1, time));
  interruption.addEventListener('abort', end);
  if (interruption.aborted) end();
  try {
    return await send(peer, request, controller.signal);
  } catch (error) {
    if ((error as Error).name === 'KeyTrusteeError') throw error;
    throw transportError(peer, controller.signal.aborted ? new Error('no answer in time') : error);
  } finally {
    clearTimeout(timer);
    interruption.removeEventListener('abort', end);
  }
}
