import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { TrailFailure } from '../audit/explain.ts';
import { errorCode, KeyTrusteeError, type StatusName } from '../core/errors.ts';
import { REFUSALS, Refusal, type RefusalCode, WriteRefusal } from '../core/refusal.ts';
import { isUnavailable } from '../database/availability.ts';
import { RETRY_AFTER } from './limits.ts';
import type { Log } from './log.ts';
import { useRefusalNotes } from './refusals.ts';
import type { App, Services } from './services.ts';

/** What every answer that is no success says. */
interface ErrorBody {
  error: { code: string; message: string };
}

/** The refusal that an error of the domain means to a client; what is missing here is a fault of the server. */
const DOMAIN: Partial<Record<StatusName, RefusalCode>> = {
  usage: 'invalid_request',
  notFound: 'not_found',
  conflict: 'conflict',
  unreachable: 'unavailable',
  locked: 'unavailable',
};

/** Statuses that fastify gives to a request that it cannot take. */
const TRANSPORT: Record<number, RefusalCode> = { 413: 'too_large', 415: 'unsupported_media_type' };

/** A disk that takes nothing more: what belongs to it cannot be done now. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

/** The refusal that an error means, or undefined where it is a fault of the server. */
function refusalFor(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof TrailFailure) return new Refusal('unavailable');
  if (error instanceof WriteRefusal) return new Refusal(error.refusal);
  if (error instanceof KeyTrusteeError) {
    const code = DOMAIN[error.code];
    return code === undefined ? undefined : new Refusal(code);
  }
  // Between the look and the write the server became read-only.
  if (errorCode(error) === '25006') return new Refusal('read_only');
  const { statusCode, validation, message } = error as FastifyError;
  if (validation !== undefined) return new Refusal('invalid_request', message);
  if (isUnavailable(error) || FULL.has(errorCode(error) ?? '')) return new Refusal('unavailable');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Refusal(TRANSPORT[statusCode] ?? 'invalid_request');
  return undefined;
}

function send(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  const body: ErrorBody = { error: { code, message } };
  return reply.code(status).type('application/json; charset=utf-8').send(body);
}

/** Answers with a refusal. */
function sendRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  const wait = refusal.status === 503 ? RETRY_AFTER : refusal.status === 429 ? 60 : undefined;
  if (wait !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', wait);
  if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
  return send(reply, refusal.status, refusal.code, refusal.message);
}

/** What a person who looks after the server has to see to; the state of a pair that is as it should be is no trouble. */
const PAIR_TROUBLE = new Set<RefusalCode>(['passive_away', 'unconfirmed']);

/** The same of the database, or of what else a request needs. */
const DATABASE_TROUBLE = new Set<RefusalCode>(['unavailable', 'database_away']);

/** What the log tells: not that the database is away, but how it failed. */
function causeOf(error: unknown): unknown {
  return error instanceof WriteRefusal && error.refusal === 'database_away' ? error.cause : error;
}

/** How often the same trouble is told; milliseconds. A database that is down fails thousands of requests. */
const TROUBLE_PAUSE = 5000;

/** Tells that something cannot be done, and that it can again. */
function createTroubleLog(log: Log, [now, again]: [now: string, again: string]) {
  let next = 0;
  let untold = 0;
  let isOver = true;
  return {
    tell(error: unknown, request: FastifyRequest) {
      untold++;
      if (performance.now() < next) return;
      next = performance.now() + TROUBLE_PAUSE;
      isOver = false;
      const about = { err: error, route: request.routeOptions.url, requests: untold };
      // A refusal is the server's own: it has more to do than it can.
      log[error instanceof Refusal || error instanceof WriteRefusal ? 'warn' : 'error'](about, now);
      untold = 0;
    },
    end() {
      if (!isOver) log.info({ requests: untold }, again);
      isOver = true;
      untold = 0;
    },
  };
}

/** Whether a request got what needs both the database and the audit trail. */
function isServed(request: FastifyRequest, status: number): boolean {
  return status < 300 && request.routeOptions.config?.event !== undefined;
}

/** Whether a request has changed something, or found that it had been changed. */
function isWrite({ method, routeOptions }: FastifyRequest): boolean {
  return method !== 'GET' && routeOptions.config?.event !== 'session.open';
}

/** Has every error answered in one form, which tells nothing of the inside; what nobody foresaw is logged with its stack. */
export function useAnswers(app: App, services: Services): void {
  const { log } = services;
  const trouble = createTroubleLog(log, ['requests cannot be answered now', 'requests are answered again']);
  const pairTrouble = createTroubleLog(log, [
    'writes are not taken now: the passive server is needed for them',
    'writes are taken again',
  ]);
  app.addHook('onResponse', (request, reply, done) => {
    if (isServed(request, reply.statusCode)) {
      trouble.end();
      if (isWrite(request)) pairTrouble.end();
    }
    done();
  });
  const noteRefusal = useRefusalNotes(app, services);
  app.setErrorHandler(async (error, request, reply) => {
    let refusal = refusalFor(error);
    let cause: unknown = error;
    // Whoever guesses is counted before it is noted: what is over the limit is no line of the audit trail.
    if (refusal?.code === 'unauthenticated' && request.headers.authorization !== undefined)
      refusal = (await app.limitAddress(request, reply)) ?? refusal;
    // What cannot be written into the audit trail is not told either.
    await noteRefusal(request, refusal?.code ?? 'internal', refusal?.about ?? {}).catch((failed: unknown) => {
      refusal = new Refusal('unavailable');
      cause = failed;
    });
    if (refusal === undefined) {
      log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed');
      return send(reply, 500, 'internal', 'the server made a mistake, which its log tells of');
    }
    // The socket and not the request, which is destroyed as soon as its body was read.
    if (DATABASE_TROUBLE.has(refusal.code) && !request.socket.destroyed)
      trouble.tell(causeOf(cause), request);
    if (PAIR_TROUBLE.has(refusal.code)) pairTrouble.tell(cause, request);
    return sendRefusal(reply, refusal);
  });
  app.setNotFoundHandler((_request, reply) => sendRefusal(reply, new Refusal('not_found')));
}

/** The answers to what is no request that could be routed: Node's parser refused it, or it did not come in time. */
const UNPARSED: Record<string, [status: string, code: string, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'timeout', 'the request did not come in time'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'too_large', 'the headers are too large'],
};

/** The bytes with which a request that cannot be parsed is answered. */
export function rawAnswer(error: Error): string {
  const invalid = ['400 Bad Request', 'invalid_request', REFUSALS.invalid_request[1]] as const;
  const [status, code, message] = UNPARSED[errorCode(error) ?? ''] ?? invalid;
  const body = JSON.stringify({ error: { code, message } } satisfies ErrorBody);
  const headers = [
    `HTTP/1.1 ${status}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${headers.join('\r\n')}\r\n\r\n${body}`;
}
