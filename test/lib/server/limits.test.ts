/** What a server takes of those who ask too much, too slowly or too often. In this process, with limits that tests can reach. */
import { once } from 'node:events';
import { Agent, type AgentOptions } from 'node:https';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../../src/lib/core/trail.ts';
import { openPool } from '../../../src/lib/database/pool.ts';
import { openReader } from '../../../src/lib/database/reader.ts';
import { keyThread } from '../../../src/lib/gpg/key-thread.ts';
import { createApp } from '../../../src/lib/server/app.ts';
import { LIMITS } from '../../../src/lib/server/limits.ts';
import { openLog } from '../../../src/lib/server/log.ts';
import type { App, Services } from '../../../src/lib/server/services.ts';
import { selfSignedCertificate } from '../../../src/lib/tls/self-signed.ts';
import { temporaryDirectory, until } from '../../support/sandbox.ts';
import { ask } from '../../support/serving.ts';

const limits = { ...LIMITS, headersTime: 300, requestTime: 600, checkTime: 50, queue: 2 };
const configuration = { RATE_LIMIT_ADDRESS: 1000, RATE_LIMIT_CLIENT: 3, SESSION_SECONDS: 900 };
const noted: AuditEvent[] = [];
let services: Services;
let app: App;
let port = 0;

/** A database that takes connections and says nothing. */
async function silentDatabase(directory: string): Promise<Server> {
  const silent = createServer(() => undefined).listen(join(directory, '.s.PGSQL.5432'));
  await once(silent, 'listening');
  return silent;
}

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const directory = await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  const silent = await silentDatabase(directory);
  const cluster = { socketDirectory: directory, port: 5432 } as never;
  const [pool, reader] = [await openPool(cluster, 1), openReader(cluster, 1)];
  const trail = {
    change: async () => {},
    note: async (event: AuditEvent) => void noted.push(event),
    check: async () => {},
    reopen: async () => undefined,
  };
  const settings = { confdir: directory, configuration: { ...configuration, LOCAL_FINGERPRINT: '4096R/A' } };
  services = {
    ...{ pool, reader, worker: 2, secret: Buffer.alloc(32), spend: async () => true, keys: keyThread() },
    log: await openLog('silent' as never),
    settings: settings as never,
    chain: [],
    room: { places: { database: '/', audit: '/' }, has: async () => true },
    trail: { ...trail, close: async () => {} },
  };
  const { certificate, privateKey } = await selfSignedCertificate('localhost');
  ({ app } = await createApp(services, { cert: certificate, key: privateKey }, limits));
  app.get('/client', (_request, reply) => {
    const refusal = app.limitClient(reply, 'A');
    return refusal === undefined ? { fine: true } : reply.send(refusal);
  });
  app.get('/fault', async () => {
    throw new TypeError('s3cr3t');
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  port = (app.server.address() as { port: number }).port;
  return async () => {
    await app.close();
    silent.close();
    await services.keys.close();
    await services.reader.end();
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

/** Sends bytes as they are, and returns what comes until the server hangs up. */
async function raw(text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  let answer = '';
  socket.on('data', (data) => (answer += data.toString())).on('error', () => undefined);
  await once(socket, 'secureConnect');
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const code = (answer: string) => /"code":"(\w+)"/.exec(answer)?.[1];

test.each([
  ['headers that do not end', 'GET / HTTP/1.1\r\nHost: a\r\n', '408', 'timeout'],
  [
    'a body that does not come',
    'POST /v1/challenges HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    '408',
    'timeout',
  ],
  [
    'headers that are too large',
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`,
    '431',
    'too_large',
  ],
  ['what is no HTTP', 'HELO mail\r\n\r\n', '400', 'invalid_request'],
])('%s: the request is answered, and the connection ended', async (_what, text, status, word) => {
  const answer = await raw(text);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(code(answer)).toBe(word);
});

test('a body that is too large, or of another kind, is refused', async () => {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const large = await ask(port, '/v1/challenges', { ...post, body: `"${'x'.repeat(70_000)}"` });
  expect([large.status, code(large.body)]).toEqual([413, 'too_large']);
  const broken = await ask(port, '/v1/challenges', { ...post, body: '{"s3cr3t' });
  expect([broken.status, code(broken.body)]).toEqual([400, 'invalid_request']);
  expect(broken.body).not.toContain('s3cr3t');
  const other = { method: 'POST', headers: { 'content-type': 'text/html' }, body: 'x' };
  const strange = await ask(port, '/v1/challenges', other);
  expect([strange.status, code(strange.body)]).toEqual([415, 'unsupported_media_type']);
});

test('a fault of the server tells nothing of itself', async () => {
  const answer = await ask(port, '/fault');
  expect(answer.status).toBe(500);
  expect(JSON.parse(answer.body)).toEqual({
    error: { code: 'internal', message: 'the server made a mistake, which its log tells of' },
  });
});

test('a client has so many requests a minute, from wherever', async () => {
  const statuses: number[] = [];
  for (let count = 0; count < 3; count++) statuses.push((await ask(port, '/client')).status);
  expect(statuses).toEqual([200, 200, 200]);
  const last = await ask(port, '/client');
  expect([last.status, code(last.body)]).toEqual([429, 'rate_limited']);
  expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
});

test('where more wait for the database than may, the next are told to come again', async () => {
  const waiting = Array.from({ length: 4 }, () => services.pool.query('select 1').catch(() => undefined));
  await until(() => services.pool.waitingCount > limits.queue, 'they wait');
  const answer = await ask(port, '/v1/health/live');
  expect([answer.status, code(answer.body), answer.headers['retry-after']]).toEqual([
    503,
    'unavailable',
    '5',
  ]);
  await Promise.all(waiting);
  expect((await ask(port, '/v1/health/live')).status).toBe(200);
});

test('an address that proves nothing has so many requests a minute, whatever it sends; a reload changes how many', async () => {
  services.settings = {
    ...services.settings,
    configuration: { ...configuration, RATE_LIMIT_ADDRESS: 1 } as never,
  };
  const answer = await ask(port, '/v1/health/live');
  expect([answer.status, code(answer.body)]).toEqual([429, 'rate_limited']);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  const guess = await ask(port, '/v1/deposits', { headers: { authorization: 'Bearer guessed' } });
  expect([guess.status, code(guess.body)]).toEqual([429, 'rate_limited']);
});

test('whoever guesses sessions does not fill the audit trail', async () => {
  const address = { RATE_LIMIT_ADDRESS: 120 };
  services.settings = { ...services.settings, configuration: { ...configuration, ...address } as never };
  noted.length = 0;
  const agent = new Agent({ keepAlive: true, maxSockets: 8, localAddress: '127.0.0.2' } as AgentOptions);
  const guess = { headers: { authorization: 'Bearer guessed' }, agent };
  const answers = await Promise.all(Array.from({ length: 400 }, () => ask(port, '/v1/deposits', guess)));
  const told = (status: number) => answers.filter((answer) => answer.status === status).length;
  expect([told(401), told(429)]).toEqual([120, 280]);
  expect(noted.filter(({ reason }) => reason === 'unauthenticated')).toHaveLength(120);
  expect(noted.filter(({ reason }) => reason === 'rate_limited')).toMatchObject([{ event: 'deposit.list' }]);
  agent.destroy();
  await app.close();
  expect(noted.at(-1)).toMatchObject({ event: 'requests.refused', from: '127.0.0.2', what: { count: 279 } });
});
