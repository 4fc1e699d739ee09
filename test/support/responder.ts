/** Tiny servers that speak as much of /v1 as a client needs, and refuse, cut or say nothing when a test wants it. */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createListener, type Socket } from 'node:net';
import { selfSignedCertificate } from '../../src/lib/tls/self-signed.ts';

/** What servers of one pair keep: what one has stored, the other has too. */
export type Store = Map<string, { id: string; putKey: string; content: Buffer; isDeleted: boolean }>;

/** How a request is answered: as always; refused with a word, and when to ask again; not at all; or done, and the answer lost. */
export type Reply = undefined | { status: number; code: string; retryAfter?: number } | 'silent' | 'cut';

/** A server that answers as a test says. */
export interface Responder {
  url: string;
  role: string | undefined;
  /** The requests that came, as `METHOD /path`, without what is asked of health. */
  seen: string[];
  reply: (method: string, path: string) => Reply;
  fingerprint: string;
  close(): Promise<void>;
}

const answerOf = (store: Store, method: string, path: string, request: IncomingMessage, body: Buffer) => {
  const id = path.split('/')[3] ?? '';
  const found = store.get(id);
  const known = found === undefined || found.isDeleted ? undefined : found;
  if (path === '/v1/challenges') return [201, { challenge: 'sign this' }];
  if (path === '/v1/sessions') return [201, { session: 'session' }];
  if (path === '/v1/clients')
    return [201, { ...JSON.parse(body.toString()), fingerprint: 'F', state: 'active' }];
  if (path === '/v1/client')
    return [200, { fingerprint: 'F', organization: 'prod', name: 'machine', state: 'active' }];
  if (method === 'POST') {
    const putKey = String(request.headers['idempotency-key']);
    const before = [...store.values()].find((each) => each.putKey === putKey);
    const made = before ?? {
      id: randomBytes(22).toString('hex').slice(0, 43),
      putKey,
      content: body,
      isDeleted: false,
    };
    store.set(made.id, made);
    const sha256 = createHash('sha256').update(made.content).digest('hex');
    return [before === undefined ? 201 : 200, { id: made.id, handle: null, sha256 }];
  }
  if (known === undefined) return [404, { error: { code: 'not_found', message: 'there is no such thing' } }];
  if (method === 'DELETE') {
    known.isDeleted = true;
    return [204, ''];
  }
  return [200, known];
};

function respond(response: ServerResponse, [status, value]: unknown[]): void {
  if (value instanceof Object && 'content' in value && Buffer.isBuffer(value.content) && 'id' in value) {
    const digest = createHash('sha256').update(value.content).digest('base64');
    response.writeHead(200, { 'content-digest': `sha-256=:${digest}:`, 'deposit-id': String(value.id) });
    response.end(value.content);
  } else response.writeHead(Number(status)).end(value === '' ? '' : JSON.stringify(value));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function handle(
  { role, seen, reply, fingerprint }: Responder,
  store: Store,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const { method = '', url = '' } = request;
  const path = url.split('?')[0] ?? '';
  const body = await bodyOf(request);
  if (path === '/v1/health/ready') return respond(response, [200, { ready: true, checks: {}, role }]);
  seen.push(`${method} ${path}`);
  const wanted = reply(method, path);
  if (wanted === 'silent') return;
  if (typeof wanted === 'object') {
    const { status, code, retryAfter } = wanted;
    if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
    return respond(response, [status, { error: { code, message: 'as the test says' } }]);
  }
  if (path === '/') return void response.end(fingerprint);
  const answer = answerOf(store, method, path, request, body);
  if (wanted === 'cut') request.socket.destroy();
  else respond(response, answer);
}

/** The certificate of all of them, which is made once. */
let pair: Promise<{ certificate: string; privateKey: string }> | undefined;
const certified = () => (pair ??= selfSignedCertificate('localhost'));

/** PEM: what vouches for them. */
export const vouching = async () => (await certified()).certificate;

/** Starts one; its port is free to be used again when it was closed. */
export async function responder(store: Store, port = 0): Promise<Responder> {
  const { certificate: cert, privateKey: key } = await certified();
  const server = createServer({ cert, key });
  const own: Responder = {
    url: '',
    role: undefined,
    seen: [],
    reply: () => undefined,
    fingerprint: `4096R/${'A'.repeat(40)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  server.on('request', (request, response) => void handle(own, store, request, response));
  await new Promise<void>((resolve) => server.listen(port, () => resolve()));
  own.url = `https://localhost:${(server.address() as { port: number }).port}`;
  return own;
}

/** A listener that takes connections and says nothing on them, not even TLS. */
export async function silentListener(): Promise<{ url: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createListener((socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, () => resolve()));
  return {
    url: `https://localhost:${(server.address() as { port: number }).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
