/** Deposits over HTTPS: put, get, list, delete, recover, and who may not. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { beforeAll, expect, test } from 'vitest';
import { type Answer, type Depositor, depositor, digestOf, putHeaders } from '../../support/depositor.ts';
import { sharedServer, until } from '../../support/sandbox.ts';
import { serving, sharedServing } from '../../support/serving.ts';

const server = sharedServer();
const shared = sharedServing(server);
let client: Depositor;
let stranger: Depositor;

beforeAll(async () => {
  for (const name of ['prod', 'other'])
    await server.orgtool(['add', '-n', name, '-c', 'root@localhost', '--quiet']);
  client = await depositor(server, shared, 'prod');
  stranger = await depositor(server, shared, 'other');
});

const refused = (status: number, code: string) => ({ status, json: { error: { code } } });
const idOf = (answer: Answer) => String(answer.json.id);
const count = async () => Number(await server.query('select count(*) from deposit'));

/** A deposit's place. */
const at = (id: string) => `/v1/deposits/${id}`;
const by = (handle: string) => `/v1/handles/${encodeURIComponent(handle)}`;

test('what is put is got back by its id and by its handle, byte for byte', async () => {
  const content = Buffer.concat([randomBytes(2048), Buffer.from([0, 255, 13, 10])]);
  const handle = 'schlüssel/1 + 2%41 ☂';
  const before = Date.now();
  const put = await client.put(content, `handle=${encodeURIComponent(handle)}&ttl=3600&retrievals=9`);
  expect(put.status).toBe(201);
  expect(put.json).toEqual({
    id: expect.stringMatching(/^[0-9A-Za-z]{43}$/) as string,
    handle,
    size: 2052,
    sha256: Buffer.from(digestOf(content).slice(9, -1), 'base64').toString('hex'),
    created: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    expires: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    retrievalsLeft: 9,
  });
  const lives = Date.parse(String(put.json.expires)) - Date.parse(String(put.json.created));
  expect(lives).toBe(3_600_000);
  expect(Math.abs(Date.parse(String(put.json.created)) - before)).toBeLessThan(60_000);
  for (const [path, left] of [
    [at(idOf(put)), '8'],
    [by(handle), '7'],
  ] as const) {
    const got = await client.ask('GET', path);
    expect(got).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': '2052',
        'content-digest': digestOf(content),
        'deposit-id': idOf(put),
        'deposit-handle': encodeURIComponent(handle),
        'deposit-retrievals-left': left,
      },
    });
    expect(got.body.equals(content)).toBe(true);
  }
});

test('a deposit without handle, time and number of retrievals has none, and takes a mebibyte but no byte more', async () => {
  const mebibyte = randomBytes(1024 * 1024);
  const put = await client.put(mebibyte);
  expect(put).toMatchObject({
    status: 201,
    json: { handle: null, expires: null, retrievalsLeft: null, size: 1_048_576 },
  });
  const got = await client.ask('GET', at(idOf(put)));
  expect(got.body.equals(mebibyte)).toBe(true);
  expect(got.headers).not.toHaveProperty('deposit-handle');
  expect(got.headers).not.toHaveProperty('deposit-retrievals-left');
  const before = await count();
  const more = Buffer.concat([mebibyte, Buffer.from('x')]);
  expect(await client.put(more)).toMatchObject(refused(413, 'too_large'));
  const inPieces = { 'transfer-encoding': 'chunked' };
  expect(await client.put(more, '', inPieces)).toMatchObject(refused(413, 'too_large'));
  expect(await client.put('')).toMatchObject(refused(400, 'invalid_request'));
  expect(await count()).toBe(before);
});

test('what a put must not be is refused, and nothing is stored', async () => {
  const before = await count();
  const query = (text: string) => client.put('x', text);
  const long = 'ü'.repeat(127);
  expect(await query(`handle=${encodeURIComponent(`${long}x`)}`)).toMatchObject({ status: 201 });
  expect((await client.ask('GET', by(`${long}x`))).body.toString()).toBe('x');
  const wrong = [
    ...['ttl=0', 'ttl=315360001', 'ttl=1.5', 'ttl=', 'retrievals=0', 'retrievals=2147483648', 'colour=red'],
    ...['handle=', 'handle=a%00b', 'handle=a%0Ab', 'handle=%C2%85', 'handle=%FF', 'handle=a&handle=b'],
    `handle=${encodeURIComponent(`${long}xx`)}`,
  ];
  for (const text of wrong)
    expect([text, await query(text)]).toMatchObject([text, refused(400, 'invalid_request')]);
  const header = (name: string, value: string) => client.put('x', '', { [name]: value });
  for (const key of ['short', 'x'.repeat(129), 'with spaces in the key'])
    expect(await header('idempotency-key', key)).toMatchObject(refused(400, 'invalid_request'));
  for (const digest of ['', 'sha-256=:AAAA:', 'sha-512=:AAAA:', digestOf('x').slice(0, -1)])
    expect(await header('content-digest', digest)).toMatchObject(refused(400, 'invalid_request'));
  expect(await header('content-digest', digestOf('y'))).toMatchObject(refused(422, 'digest_mismatch'));
  expect(await header('content-type', 'text/plain')).toMatchObject(refused(415, 'unsupported_media_type'));
  expect(await header('authorization', 'Bearer nonsense')).toMatchObject(refused(401, 'unauthenticated'));
  expect(await header('content-digest', `sha-512=:AAAA:, ${digestOf('x')}`)).toMatchObject({ status: 201 });
  expect(await count()).toBe(before + 2);
});

test('a put that is repeated with its key stores once, and its key is good for nothing else', async () => {
  const key = { 'idempotency-key': randomBytes(16).toString('base64url') };
  const before = await count();
  const answers = await Promise.all(Array.from({ length: 12 }, () => client.put('same', 'handle=once', key)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([
    ...Array.from({ length: 11 }, () => 200),
    201,
  ]);
  expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(1);
  expect(await count()).toBe(before + 1);
  expect(await client.put('other', 'handle=once', key)).toMatchObject(refused(409, 'conflict'));
  expect(await client.put('same', 'handle=twice', key)).toMatchObject(refused(409, 'conflict'));
  expect(await client.put('same', 'handle=once')).toMatchObject(refused(409, 'conflict'));
  expect(await stranger.put('same', 'handle=once', key)).toMatchObject({ status: 201 });
  expect(await client.ask('DELETE', by('once'))).toMatchObject({ status: 204 });
  expect(await client.put('same', 'handle=once', key)).toMatchObject(refused(409, 'conflict'));
  expect(await client.put('new', 'handle=once')).toMatchObject({ status: 201 });
});

test('defect: a put repeated with the key of a deposit that expired or was used up was told that it is kept', async () => {
  for (const [query, end] of [
    ['handle=short&ttl=100', 'expires_at = now()'],
    ['handle=used&retrievals=1', 'retrievals_left = 0'],
  ] as const) {
    const key = { 'idempotency-key': randomBytes(16).toString('base64url') };
    const put = await client.put('same', query, key);
    expect(await client.put('same', query, key)).toMatchObject({ status: 200, json: { id: idOf(put) } });
    await server.query(`update deposit set ${end} where uuid = '${idOf(put)}'`);
    const again = await client.put('same', query, key);
    expect(again).toMatchObject(refused(409, 'conflict'));
    expect(again.json).toMatchObject({ error: { message: 'the deposit of this key has expired' } });
    expect(await client.put('same', query)).toMatchObject({ status: 201 });
  }
});

test('defect: a HEAD spent a retrieval, and gave nothing', async () => {
  const put = await client.put('once', 'handle=head&retrievals=1');
  for (const path of [at(idOf(put)), by('head'), '/v1/deposits', '/v1/client'])
    expect(await client.ask('HEAD', path)).toMatchObject({ status: 404 });
  expect((await client.ask('GET', by('head'))).body.toString()).toBe('once');
});

test('one of many puts of the same handle at once gets it', async () => {
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) => client.put(`${index}`, 'handle=race')),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(11);
});

test('a put whose answer was lost is repeated, and is there once', async () => {
  const content = 'the answer is lost';
  const { authorization } = client;
  const headers = {
    host: 'x',
    authorization,
    'content-length': String(content.length),
    ...putHeaders(content),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const socket = connect({ port: shared.port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => undefined);
  // Cut as soon as all of it was sent: the server may have read it or not.
  socket.end(`POST /v1/deposits?handle=lost HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${content}`);
  const isStored = async () =>
    (await server.query("select count(*) from deposit where handle = 'lost'")) === '1';
  await until(isStored, 'the put is stored');
  socket.destroy();
  const again = await client.put(content, 'handle=lost', { 'idempotency-key': headers['idempotency-key'] });
  expect(again).toMatchObject({ status: 200, json: { handle: 'lost' } });
  expect(await isStored()).toBe(true);
});

test('a deposit that can be got so often is got no more than that, however many ask at once', async () => {
  const put = await client.put('thrice', 'handle=thrice&retrievals=3');
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      client.ask('GET', index % 2 === 0 ? at(idOf(put)) : by('thrice')),
    ),
  );
  const got = answers.filter(({ status }) => status === 200);
  expect(got.map(({ headers }) => headers['deposit-retrievals-left']).toSorted()).toEqual(['0', '1', '2']);
  expect(got.every(({ body }) => body.toString() === 'thrice')).toBe(true);
  expect(answers.filter(({ status }) => status === 404)).toHaveLength(17);
});

test('what is not there, is another’s, was deleted or has expired is the same: not there', async () => {
  const put = await client.put('mine', 'handle=mine');
  const deleted = await client.put('deleted', 'handle=deleted');
  await client.ask('DELETE', at(idOf(deleted)));
  const expired = await client.put('expired', 'handle=expired&ttl=100');
  await server.query(`update deposit set expires_at = now() where uuid = '${idOf(expired)}'`);
  const unknown = await stranger.ask('GET', at('0'.repeat(43)));
  expect(unknown).toMatchObject(refused(404, 'not_found'));
  const others = ['nonsense', '%00', idOf(put), idOf(deleted), idOf(expired)].map(at);
  for (const path of [...others, by('mine'), by('deleted'), by('expired')]) {
    const owner = path.includes(idOf(put)) || path.endsWith('mine') ? stranger : client;
    for (const method of ['GET', 'DELETE']) {
      const answer = await owner.ask(method, path);
      expect([method, path, answer.status, answer.body.toString()]).toEqual([
        method,
        path,
        404,
        unknown.body.toString(),
      ]);
    }
  }
  expect(await stranger.ask('POST', `${at(idOf(put))}/recovery`)).toMatchObject({ status: 404 });
  expect(await client.ask('GET', by('mine'))).toMatchObject({ status: 200 });
});

test('defect: after a restore, a session of before could be that of another client, who was given its number', async () => {
  const before = await depositor(server, shared, 'prod');
  const number = await server.query('select max(id) from client');
  await server.query(`delete from client where id = ${number}`);
  await server.query(`alter table client alter column id restart with ${number}`);
  const after = await depositor(server, shared, 'prod');
  expect(await server.query('select max(id) from client')).toBe(number);
  const put = await after.put('of the other', 'handle=taken');
  for (const path of [at(idOf(put)), by('taken'), '/v1/client', '/v1/deposits'])
    expect(await before.ask('GET', path)).toMatchObject(refused(401, 'unauthenticated'));
  expect(await before.put('mine')).toMatchObject(refused(401, 'unauthenticated'));
  expect(await before.ask('DELETE', by('taken'))).toMatchObject(refused(401, 'unauthenticated'));
  expect(await after.ask('GET', by('taken'))).toMatchObject({ status: 200 });
});

test('many who ask at once each get their own, also after every connection to the database was lost', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `own-${index}`);
  const owners = names.map((_, index) => (index % 2 === 0 ? client : stranger));
  await Promise.all(names.map(async (name, index) => owners[index]?.put(name, `handle=${name}`)));
  const getAll = () => Promise.all(names.map(async (name, index) => owners[index]?.ask('GET', by(name))));
  const told = async () => (await getAll()).map((answer) => answer?.body.toString());
  expect(await told()).toEqual(names);
  await server.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'keytrusteed'",
  );
  const after = await getAll();
  for (const [index, answer] of after.entries())
    expect(answer).toMatchObject(
      answer?.status === 200 ? { body: Buffer.from(`own-${index}`) } : refused(503, 'unavailable'),
    );
  expect(await told()).toEqual(names);
});

test('what was deleted can be recovered while its time lasts and its handle is free', async () => {
  const first = await client.put('first', 'handle=back');
  expect(await client.ask('DELETE', by('back'))).toMatchObject({ status: 204, body: Buffer.alloc(0) });
  const second = await client.put('second', 'handle=back');
  const recover = () => client.ask('POST', `${at(idOf(first))}/recovery`);
  expect(await recover()).toMatchObject(refused(409, 'conflict'));
  expect(await client.ask('DELETE', at(idOf(second)))).toMatchObject({ status: 204 });
  const recovered = await recover();
  expect(recovered).toMatchObject({ status: 200, json: first.json });
  expect(await recover()).toMatchObject({ status: 200, body: recovered.body });
  expect((await client.ask('GET', by('back'))).body.toString()).toBe('first');
  await server.query(
    `update deposit set deleted_at = now() - interval '30 days' where uuid = '${idOf(second)}'`,
  );
  expect(await client.ask('POST', `${at(idOf(second))}/recovery`)).toMatchObject(refused(404, 'not_found'));
});

test('a client lists its own, part by part, without what they hold', async () => {
  const own = await depositor(server, shared, 'prod');
  expect((await own.ask('GET', '/v1/deposits')).json).toEqual({ deposits: [], next: null });
  const puts: Answer[] = [];
  for (const name of ['a', 'b', 'c', 'd', 'e']) puts.push(await own.put(name, `handle=${name}`));
  await own.ask('DELETE', by('c'));
  const shown = puts.map((put) => ({ ...put.json, id: idOf(put), deleted: null }));
  const part = async (query: string) => (await own.ask('GET', `/v1/deposits?${query}`)).json;
  expect(await part('')).toEqual({ deposits: [shown[0], shown[1], shown[3], shown[4]], next: null });
  expect(await part('limit=2')).toEqual({ deposits: [shown[0], shown[1]], next: shown[1]?.id });
  expect(await part(`limit=2&after=${shown[1]?.id}`)).toEqual({ deposits: [shown[3], shown[4]], next: null });
  expect(await part('deleted=true')).toEqual({
    deposits: [{ ...shown[2], deleted: expect.stringMatching(/Z$/) as string }],
    next: null,
  });
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=x', 'deleted=1', 'colour=red'])
    expect(await own.ask('GET', `/v1/deposits?${query}`)).toMatchObject(refused(400, 'invalid_request'));
  expect(await own.ask('GET', `/v1/deposits?after=${'0'.repeat(43)}`)).toMatchObject(
    refused(404, 'not_found'),
  );
});

test('a client or an organization that is stopped is refused at its very next request, whatever that is', async () => {
  const own = await depositor(server, shared, 'prod');
  const put = await own.put('kept', 'handle=kept');
  const requests = () =>
    Promise.all([
      ...['GET', 'DELETE'].flatMap((method) =>
        [at(idOf(put)), by('kept'), by('none')].map((path) => own.ask(method, path)),
      ),
      own.ask('GET', '/v1/deposits'),
      own.ask('POST', `${at(idOf(put))}/recovery`),
      own.put('more', 'handle=kept'),
      own.put('more'),
    ]);
  const before = await count();
  const allAre = async (status: number, code: string) => {
    for (const answer of await requests()) expect(answer).toMatchObject(refused(status, code));
    expect(await count()).toBe(before);
  };
  await server.orgtool(['disable-client', '--fingerprint', own.fingerprint]);
  await allAre(403, 'client_disabled');
  await server.orgtool(['enable-client', '--fingerprint', own.fingerprint]);
  expect(await own.ask('GET', by('kept'))).toMatchObject({ status: 200 });
  await server.query(`update client set state = 'pending' where fingerprint = '${own.fingerprint}'`);
  await allAre(403, 'client_pending');
  await server.query(`update client set state = 'active' where fingerprint = '${own.fingerprint}'`);
  await server.query("update organization set expires_at = now() where name = 'prod'");
  await allAre(403, 'organization_disabled');
  await server.query("update organization set expires_at = null, state = 1 where name = 'prod'");
  await allAre(403, 'organization_disabled');
  await server.query("update organization set state = 0 where name = 'prod'");
  expect((await own.ask('GET', by('kept'))).body.toString()).toBe('kept');
  await server.query(`delete from deposit using client where client.id = client_id and fingerprint = '${own.fingerprint}';
    delete from client where fingerprint = '${own.fingerprint}'`);
  for (const answer of await requests()) expect(answer).toMatchObject(refused(401, 'unauthenticated'));
});

test('content that is not what was put is never given, and takes no retrieval', async () => {
  for (const query of ['', '&retrievals=5']) {
    const put = await client.put('precious', `handle=damaged${query.length}${query}`);
    await server.query(`update deposit set content = 'precioux' where uuid = '${idOf(put)}'`);
    const got = await client.ask('GET', at(idOf(put)));
    expect(got).toMatchObject(refused(500, 'internal'));
    expect(got.body.toString()).not.toContain('precio');
    // What the server has written reaches this test after its answer.
    await until(() => shared.stderr().includes(`deposit ${idOf(put)} is damaged`), 'its log tells of it');
    const left = await server.query(`select retrievals_left from deposit where uuid = '${idOf(put)}'`);
    expect(left).toBe(query === '' ? '' : '5');
  }
});

/** What the audit trail says of deposits, in the order of time: event, outcome, who and what. */
async function trail(): Promise<Record<string, unknown>[]> {
  const directory = join(server.directory, 'audit');
  const names = (await readdir(directory)).filter((name) => /^server-.*jsonl$/.test(name)).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  );
}

test('everything that is done and refused is in the audit trail, and no content or session is', async () => {
  const own = await depositor(server, shared, 'other');
  const id = idOf(await own.put('secret content', 'handle=seen&retrievals=2'));
  await own.ask('GET', by('seen'));
  await own.ask('GET', at('0'.repeat(43)));
  await own.ask('GET', '/v1/deposits');
  await own.ask('DELETE', by('seen'));
  await own.ask('POST', `${at(id)}/recovery`);
  await own.put('secret content', 'handle=seen');
  const lines = await trail();
  const who = `client:${own.fingerprint}`;
  const mine = lines.filter((line) => line.who === who && line.event !== 'session.open');
  expect(mine.map(({ event, outcome, reason, what }) => [event, reason ?? outcome, what])).toEqual([
    ['deposit.put', 'done', { deposit: id, handle: 'seen', size: 14 }],
    ['deposit.get', 'done', { deposit: id, handle: 'seen', retrievalsLeft: 1 }],
    ['deposit.get', 'not_found', {}],
    ['deposit.list', 'done', { deposits: 1 }],
    ['deposit.delete', 'done', { deposit: id, handle: 'seen' }],
    ['deposit.recover', 'done', { deposit: id, handle: 'seen' }],
    ['deposit.put', 'conflict', {}],
  ]);
  expect(mine.every(({ from }) => /127\.0\.0\.1$/.test(String(from)))).toBe(true);
  expect(lines).toContainEqual(
    expect.objectContaining({ event: 'deposit.get', outcome: 'failed', reason: 'damaged' }),
  );
  const text = JSON.stringify(lines);
  expect(text).not.toContain('secret content');
  expect(text).not.toContain(own.authorization.slice(7));
});

test('a server that starts purges what has expired meanwhile', async () => {
  const id = idOf(await client.put('old', 'ttl=60'));
  shared.kill('SIGTERM');
  await shared.ended;
  await server.query(`update deposit set expires_at = now() where uuid = '${id}'`);
  await serving(server);
  const isGone = async () =>
    (await server.query(`select count(*) from deposit where uuid = '${id}'`)) === '0';
  await until(isGone, 'the deposit is purged');
  expect((await trail()).filter(({ event }) => event === 'deposit.purge').at(-1)).toMatchObject({
    what: { deposits: expect.stringContaining(id) as string },
    outcome: 'done',
  });
});
