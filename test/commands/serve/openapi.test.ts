import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { isLong } from '../../support/long.ts';
import {
  createMachine,
  enroll,
  type Machine,
  openSession,
  register,
  signedChallenge,
} from '../../support/machines.ts';
import {
  allowed,
  answerFaults,
  anything,
  type Operation,
  operations,
  plain,
  type Schema,
} from '../../support/openapi.ts';
import { sharedServer } from '../../support/sandbox.ts';
import { type Answer, ask, configure, sharedServing } from '../../support/serving.ts';

const server = sharedServer();
const running = sharedServing(server, () =>
  configure(server, { RATE_LIMIT_ADDRESS: 1_000_000, RATE_LIMIT_CLIENT: 1_000_000, MAIL_TRANSPORT: 'none' }),
);
const seen = new Set<string>();
let machine: Machine;
let session: string;

beforeAll(async () => {
  machine = await createMachine();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
  await enroll(server, machine, 'prod');
  session = String((await openSession(running, machine)).json.session);
});

interface Sent {
  to?: Record<string, string>;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

function find(name: string): Operation {
  const found = operations.find((operation) => operation.name === name);
  if (found === undefined) throw new Error(`${name} is not documented`);
  return found;
}

/** Sends a request to an operation and holds the answer against the document. */
async function send(name: string, { to = {}, query = {}, headers = {}, body }: Sent = {}): Promise<Answer> {
  const operation = find(name);
  const path = operation.path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(to[key] || 'x'));
  const asked = new URLSearchParams(query).toString();
  const answer = await ask(running.port, asked === '' ? path : `${path}?${asked}`, {
    method: operation.method,
    headers: { ...(operation.needsSession ? { authorization: `Bearer ${session}` } : {}), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  seen.add(`${name} ${answer.status}`);
  expect(answerFaults(operation, answer)).toEqual([]);
  return answer;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const BYTES_TYPE = { 'content-type': 'application/octet-stream' };
const json = (body: unknown): Sent => ({ headers: JSON_TYPE, body: JSON.stringify(body) });
function deposit(
  content: Buffer,
  key = randomBytes(12).toString('hex'),
): Sent & { headers: Record<string, string> } {
  const digest = createHash('sha256').update(content).digest('base64');
  return {
    headers: { ...BYTES_TYPE, 'idempotency-key': key, 'content-digest': `sha-256=:${digest}:` },
    body: content,
  };
}

test('every route below /v1 is documented, and every documented one is there', () => {
  const directory = new URL('../../../src/lib/server/routes', import.meta.url).pathname;
  const source = readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('\n');
  const routes = [...source.matchAll(/\.(get|post|put|patch|delete)(?:<[^(]*>)?\(\s*'(\/v1[^']*)'/g)];
  const there = routes.map(([, verb, path]) => `${verb?.toUpperCase()} ${path?.replace(/:(\w+)/g, '{$1}')}`);
  expect(there.toSorted()).toEqual(operations.map(({ name }) => name).toSorted());
});

test('clients are answered as documented', async () => {
  await send('GET /v1/health/live');
  await send('GET /v1/health/ready');
  await send('GET /v1/client');
  await send('POST /v1/challenges');
  const proof = () => signedChallenge(running, machine);
  const { publicKey, fingerprint } = machine;
  await send('POST /v1/sessions', json({ fingerprint, ...(await proof()) }));
  const asked = { publicKey, organization: 'prod' };
  await send('POST /v1/clients', json({ ...asked, ...(await proof()) }));
  await send('POST /v1/clients', json({ ...asked, code: 'wrong', ...(await proof()) }));
  const fresh = await createMachine();
  const other = await createMachine();
  await send(
    'POST /v1/clients',
    json({ ...asked, publicKey: fresh.publicKey, ...(await signedChallenge(running, fresh)) }),
  );
  await server.orgtool(['add', '-n', 'second', '-c', 'root@localhost', '--quiet']);
  await register(running, other, { organization: 'second' });
  await send(
    'POST /v1/clients',
    json({ ...asked, publicKey: other.publicKey, ...(await signedChallenge(running, other)) }),
  );
  await send(
    'POST /v1/sessions',
    json({ fingerprint: fresh.fingerprint, ...(await signedChallenge(running, fresh)) }),
  );
  for (const name of ['POST /v1/challenges', 'POST /v1/sessions', 'POST /v1/clients']) {
    await send(name, { headers: JSON_TYPE, body: '{' });
    await send(name, { headers: JSON_TYPE, body: Buffer.alloc(70_000, ' ') });
    await send(name, { headers: { 'content-type': 'image/png' }, body: 'x' });
  }
  await send('POST /v1/sessions', json({ fingerprint, challenge: 'x', signature: 'x' }));
  await send('POST /v1/clients', json({ ...asked, challenge: 'x', signature: 'x' }));
});

test('deposits are answered as documented', async () => {
  const put = deposit(Buffer.from('content'));
  const query = { handle: 'ünïcode/handle', retrievals: '9', ttl: '1000' };
  const stored = JSON.parse((await send('POST /v1/deposits', { ...put, query })).body) as { id: string };
  await send('POST /v1/deposits', { ...put, query });
  await send('POST /v1/deposits', { ...deposit(Buffer.from('other')), query });
  await send('POST /v1/deposits', { ...put, body: 'changed' });
  await send('POST /v1/deposits', { ...put, body: Buffer.alloc(1_100_000) });
  await send('POST /v1/deposits', { ...put, headers: { ...put.headers, 'content-type': 'text/plain' } });
  await send('POST /v1/deposits', { ...put, query: { ttl: '0' } });
  await send('POST /v1/deposits', deposit(Buffer.from('second')));
  const { next } = JSON.parse((await send('GET /v1/deposits', { query: { limit: '1' } })).body) as {
    next: string;
  };
  await send('GET /v1/deposits', { query: { after: next } });
  await send('GET /v1/deposits', { query: { after: 'A'.repeat(43) } });
  await send('GET /v1/deposits', { query: { limit: '0' } });
  const [byId, byHandle] = [{ to: stored }, { to: { handle: query.handle } }];
  for (const name of ['GET /v1/deposits/{id}', 'DELETE /v1/deposits/{id}', 'DELETE /v1/deposits/{id}'])
    await send(name, byId);
  await send('GET /v1/deposits', { query: { deleted: 'true' } });
  await send('GET /v1/deposits/{id}', byId);
  await send('POST /v1/deposits/{id}/recovery', byId);
  for (const verb of ['GET', 'DELETE', 'DELETE', 'GET']) await send(`${verb} /v1/handles/{handle}`, byHandle);
  await send('POST /v1/deposits', { ...deposit(Buffer.from('third')), query });
  await send('POST /v1/deposits/{id}/recovery', byId);
  await send('POST /v1/deposits/{id}/recovery', { to: { id: 'A'.repeat(43) } });
  await send('POST /v1/deposits/{id}/recovery', { ...byId, ...json({}) });
  for (const verb of ['GET', 'DELETE'])
    await send(`${verb} /v1/handles/{handle}`, { to: { handle: '\u0007' } });
});

/** One request to any operation: its parameters and body as the document allows them, or not. */
const anyRequest = fc.constantFrom(...operations).chain((operation) => {
  const value = (schema: Schema) =>
    fc.oneof({ weight: 3, arbitrary: allowed(schema) }, { weight: 1, arbitrary: anything(schema) });
  const values = Object.fromEntries(operation.parameters.map(({ name, schema }) => [name, value(schema)]));
  return fc.record({
    operation: fc.constant(operation),
    values: fc.record(values, { requiredKeys: [] }),
    body: operation.body === undefined ? fc.constant(undefined) : value(operation.body.schema),
    token: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.string() }),
    // Whether the digest is that of the body.
    honest: fc.boolean(),
  });
});

test('whatever the document allows, and whatever it does not, is answered as documented', async () => {
  const property = fc.asyncProperty(anyRequest, async ({ operation, values, body, token, honest }) => {
    const placed = (where: string) =>
      operation.parameters
        .filter((parameter) => parameter.in === where && values[parameter.name] !== undefined)
        .map(({ name }) => [name, plain(values[name])] as const);
    // What Node's own client refuses to send is the business of the fuzzer, which speaks to the socket.
    const written = placed('header').map(
      ([name, text]) => [name, text.replace(/[^\x20-\x7e]/g, '')] as const,
    );
    const headers = Object.fromEntries(written);
    const sent = body === undefined ? undefined : Buffer.from(plain(body));
    if (operation.body !== undefined) headers['content-type'] = operation.body.type;
    if (honest && sent !== undefined && 'Content-Digest' in headers)
      headers['Content-Digest'] = deposit(sent).headers['content-digest'] ?? '';
    if (token !== undefined) headers.authorization = `Bearer ${token.replace(/[^\x20-\x7e]/g, '')}`;
    await send(operation.name, {
      ...{ to: Object.fromEntries(placed('path')), query: Object.fromEntries(placed('query')), headers },
      ...(sent === undefined ? {} : { body: sent }),
    });
  });
  await fc.assert(property, { numRuns: isLong ? 5000 : 150 });
}, 300_000);

test('sessions that are not good, and clients that were stopped, are answered as documented', async () => {
  const asClient = operations.filter(({ needsSession }) => needsSession);
  const to = { id: 'A'.repeat(43), handle: 'x' };
  const given = (name: string): Sent => (name === 'POST /v1/deposits' ? deposit(Buffer.from('x')) : {});
  for (const { name } of asClient) {
    const { headers, ...rest } = given(name);
    expect(
      (await send(name, { to, ...rest, headers: { ...headers, authorization: 'Bearer x' } })).status,
    ).toBe(401);
  }
  await server.orgtool(['disable-client', '--fingerprint', machine.fingerprint]);
  for (const { name } of asClient) expect((await send(name, { to, ...given(name) })).status).toBe(403);
  await configure(server, { RATE_LIMIT_ADDRESS: 1, RATE_LIMIT_CLIENT: 1 });
  running.kill('SIGHUP');
  for (const { name } of operations) {
    for (let tries = 0; tries < 200 && !seen.has(`${name} 429`); tries += 1)
      await send(name, { to, ...given(name) });
  }
});

test('every status that is documented was seen, but for those of a server in need', () => {
  const documented = operations.flatMap(({ name, responses }) =>
    Object.keys(responses).map((status) => `${name} ${status}`),
  );
  // What a server answers that is down or has no room, or whose disk has damaged a deposit, is shown by other tests.
  expect(documented.filter((status) => !/ 50[037]$/.test(status) && !seen.has(status))).toEqual([]);
});
