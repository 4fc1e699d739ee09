/** What a user would lose where a pair of servers acknowledged what only one of them keeps. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Depositor, sessionAt } from '../../support/depositor.ts';
import { createMachine, enroll } from '../../support/machines.ts';
import { until, withoutDrop } from '../../support/sandbox.ts';
import { ask, type Serving } from '../../support/serving.ts';
import { sharedServedPair } from '../../support/standby.ts';

const { pair, active, passive } = sharedServedPair();
let own: Depositor;
let there: Depositor;

const AWAY = {
  code: 'passive_away',
  message: 'the passive server is away, and writes need both: nothing was written',
};
const UNKNOWN = { code: 'unconfirmed', message: 'it is not known whether it is kept: repeat the request' };
const UNKNOWN_AT_TERMINAL = `ktadmin: error: it is not known whether it was done, and whether both servers keep it
ktadmin: hint: run the same command again: what is done already is not done twice
`;

beforeAll(async () => {
  await pair.active.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
  const machine = await createMachine();
  await enroll(pair.active, machine, 'prod');
  own = await sessionAt(active, machine);
  there = await sessionAt(passive, machine);
});

const count = async (where: string) => pair.active.query(`select count(*) from deposit where ${where}`);
const waits = `select count(*) from pg_stat_activity where wait_event = 'SyncRep'`;
const readiness = async ({ port }: Serving) =>
  JSON.parse((await ask(port, '/v1/health/ready')).body) as Record<string, unknown>;
const contentAt = async (at: Depositor, handle: string) =>
  (await at.ask('GET', `/v1/handles/${handle}`)).body.toString();

test('what is acknowledged is on the passive server', async () => {
  for (let round = 0; round < 20; round += 1) {
    expect(await own.put(`content ${round}`, `handle=kept-${round}`)).toMatchObject({ status: 201 });
    expect(await contentAt(there, `kept-${round}`)).toBe(`content ${round}`);
  }
  expect(await readiness(active)).toMatchObject({ ready: true, role: 'active', writes: true });
  expect(await readiness(passive)).toMatchObject({
    ...{ ready: true, role: 'passive', writes: false, reason: 'read_only' },
  });
});

test('while the passive server is away, writes are refused before anything is written, and reads go on', async () => {
  await pair.kill();
  await until(async () => (await readiness(active)).writes === false, 'the loss is seen');
  const refused = await own.put('refused', 'handle=refused');
  expect(refused).toMatchObject({ status: 503, json: { error: AWAY }, headers: { 'retry-after': '5' } });
  expect(await own.ask('DELETE', '/v1/handles/kept-0')).toMatchObject({ status: 503, json: { error: AWAY } });
  expect(await count(`handle = 'refused' or deleted_at is not null`)).toBe('0');
  expect(await contentAt(own, 'kept-1')).toBe('content 1');
  expect(await own.ask('GET', '/v1/deposits')).toMatchObject({ status: 200 });
  expect(await readiness(active)).toMatchObject({ ready: true, writes: false, reason: 'passive_away' });
  const added = await pair.active.orgtool(['add', '-n', 'second', '-c', 'root@localhost']);
  expect({ ...added, stderr: withoutDrop(added.stderr) }).toMatchObject({
    ...{ status: 3, stdout: '' },
    stderr: `ktadmin: error: nothing was written: the passive server is away, and writes need both
ktadmin: hint: ktadmin ha status shows why
`,
  });
  expect(await pair.active.query(`select count(*) from organization where name = 'second'`)).toBe('0');
  const set = await pair.active.ktbackup(['--cleartext', '--quiet', '--output', pair.active.directory]);
  const [name = ''] = (await readdir(pair.active.directory)).filter((file) => file.endsWith('.tar'));
  const restored = await pair.active.ktadmin(['restore', join(pair.active.directory, name), '--yes']);
  expect([set.status, restored.status]).toEqual([0, 3]);
  expect(restored.stderr).toContain('nothing was written: the passive server is away, and writes need both');
  // Nothing is to be done there, and it does not wait.
  expect(await pair.active.ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
  await pair.restart();
  expect(await own.put('refused', 'handle=refused')).toMatchObject({ status: 201 });
});

test('where the passive server hangs, no request does: the outcome is told as unknown, and reads go on', async () => {
  const key = { 'idempotency-key': 'the-key-of-the-first-one' };
  await pair.passive.query('select pg_wal_replay_pause()');
  const puts = [own.put('first', 'handle=first', key)];
  // On a busy machine others may be begun before it, and leave it no turn.
  await until(async () => (await pair.active.query(waits)) === '1', 'the first one waits');
  for (let more = 1; more < 14; more += 1) puts.push(own.put(`more ${more}`));
  await until(async () => Number(await pair.active.query(waits)) >= 8, 'commits wait');
  expect(await contentAt(own, 'kept-1')).toBe('content 1');
  expect(await own.ask('GET', '/v1/deposits')).toMatchObject({ status: 200 });
  await pair.freeze();
  const answers = await Promise.all(puts);
  const codes = answers.map(({ json }) => (json.error as { code: string }).code);
  expect(answers[0]).toMatchObject({
    status: 503,
    json: { error: UNKNOWN },
    headers: { 'retry-after': '5' },
  });
  expect(codes.filter((code) => code === 'unconfirmed').length).toBeGreaterThanOrEqual(8);
  // The others found no connection in time, or were refused when the loss was seen.
  for (const code of new Set(codes)) expect(['unconfirmed', 'passive_away', 'database_away']).toContain(code);
  expect(await own.put('first', 'handle=first', key)).toMatchObject({ status: 503, json: { error: AWAY } });
  await pair.thaw();
  await pair.passive.query('select pg_wal_replay_resume()');
  await pair.restart();
  expect(await own.put('first', 'handle=first', key)).toMatchObject({ status: 200 });
  expect(await contentAt(there, 'first')).toBe('first');
});

test('a put that is repeated is acknowledged when the passive server has it, and not when its row is found', async () => {
  const key = { 'idempotency-key': 'the-key-of-the-second-one' };
  await pair.passive.query('select pg_wal_replay_pause()');
  const first = own.put('second', 'handle=second', key);
  await until(async () => (await pair.active.query(waits)) === '1', 'the commit waits');
  await pair.active.query(`select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`);
  expect(await first).toMatchObject({ status: 503, json: { error: UNKNOWN } });
  expect(await count(`handle = 'second'`)).toBe('1');
  const again = own.put('second', 'handle=second', key);
  await until(async () => (await pair.active.query(waits)) === '1', 'the second one waits, too');
  expect(await there.ask('GET', '/v1/handles/second')).toMatchObject({ status: 404 });
  await pair.passive.query('select pg_wal_replay_resume()');
  expect(await again).toMatchObject({ status: 200 });
  expect(await contentAt(there, 'second')).toBe('second');
});

test('a command whose commit loses the passive server says that it does not know, and done again it does', async () => {
  const disable = () => pair.active.ktadmin(['orgtool', 'disable-client', '--fingerprint', own.fingerprint]);
  await pair.passive.query('select pg_wal_replay_pause()');
  const unknown = disable();
  await until(async () => (await pair.active.query(waits)) === '1', 'the commit waits');
  await pair.kill();
  const { status, stderr } = await unknown;
  expect({ status, stderr: withoutDrop(stderr) }).toEqual({ status: 7, stderr: UNKNOWN_AT_TERMINAL });
  await pair.restart();
  expect(await disable()).toMatchObject({ status: 0 });
  for (const at of [own, there])
    expect(await at.ask('GET', '/v1/handles/first')).toMatchObject({ status: 403 });
});

test('a write that finds PostgreSQL stopped is refused for sure, and a read is as it was', async () => {
  expect(await pair.active.ktadmin(['db', 'stop'])).toMatchObject({ status: 0 });
  const message = 'the database does not answer, or has too much to do: nothing was written';
  const away = { code: 'database_away', message };
  expect(await own.put('away')).toMatchObject({
    ...{ status: 503, json: { error: away }, headers: { 'retry-after': '5' } },
  });
  expect(await own.ask('DELETE', '/v1/handles/kept-0')).toMatchObject({ status: 503, json: { error: away } });
  expect(await own.ask('GET', '/v1/handles/kept-1')).toMatchObject({
    ...{ status: 503, json: { error: { code: 'unavailable' } } },
  });
  const added = await pair.active.orgtool(['add', '-n', 'third', '-c', 'root@localhost']);
  expect(added.status).toBe(7);
  expect(withoutDrop(added.stderr)).toMatch(/^ktadmin: error: the database does not answer \(/);
});
