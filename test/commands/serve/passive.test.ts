/** A server whose database follows another one's: what it answers, what it leaves to the active one, and what it is promoted to. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Depositor, sessionAt } from '../../support/depositor.ts';
import { pressButton, titleOf } from '../../support/forms.ts';
import { askContact, inviteContact } from '../../support/links.ts';
import { api, createMachine, enroll, type Machine, register } from '../../support/machines.ts';
import { until, withoutDrop } from '../../support/sandbox.ts';
import { ask, configure, type Serving, serving } from '../../support/serving.ts';
import { type MailServer, mailServer } from '../../support/smtp.ts';
import { setReplication, sharedPair } from '../../support/standby.ts';

const pair = sharedPair();
const cleanUps: (() => Promise<void>)[] = [];
const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.unshift(cleanUp);
afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

let machine: Machine;
let passive: Serving;
let own: Depositor;
let smtp: MailServer;
let invitation: string;
let approval: string;

beforeAll(async () => {
  smtp = await mailServer({}, { atEnd });
  const mail = { MAIL_TRANSPORT: 'smtp', SMTP_HOST: '127.0.0.1', SMTP_PORT: smtp.port };
  await configure(pair.active, { MAIL_TRANSPORT: 'none' });
  await configure(pair.passive, { ...mail, METRICS_PORT: 0 });
  await pair.active.orgtool(['add', '-n', 'prod', '-c', 'finn@example.com', '--quiet']);
  machine = await createMachine();
  await enroll(pair.active, machine, 'prod');
  const waiting = await createMachine();
  await enroll(pair.active, waiting, 'prod', 'pending');
  invitation = await inviteContact(pair.active, 'finn@example.com');
  approval = await askContact(pair.active, 'finn@example.com', waiting.fingerprint);
  const active = await serving(pair.active, { atEnd });
  const writer = await sessionAt(active, machine);
  await writer.put('content', 'handle=kept');
  await writer.put('counted', 'handle=counted&retrievals=3');
  passive = await serving(pair.passive, { atEnd });
  own = await sessionAt(passive, machine);
});

const logged = () =>
  withoutDrop(passive.stderr())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; msg: string });
const ready = async () => JSON.parse((await ask(passive.port, '/v1/health/ready')).body) as object;
const READ_ONLY = {
  status: 503,
  headers: { 'retry-after': '5' },
  json: {
    error: {
      code: 'read_only',
      message: 'this is the passive server: nothing was written, ask the active one',
    },
  },
};

test('it serves what only reads, and says once in its log what it is', async () => {
  expect(await own.ask('GET', '/v1/handles/kept')).toMatchObject({
    status: 200,
    body: Buffer.from('content'),
  });
  expect((await own.ask('GET', '/v1/deposits')).json.deposits).toHaveLength(2);
  expect(await own.ask('GET', '/v1/client')).toMatchObject({ status: 200, json: { state: 'active' } });
  const fingerprint = await ask(passive.port, '/?a=fingerprint');
  expect(fingerprint.body).toContain(pair.active.fingerprint.split('/').at(-1));
  await until(() => logged().some(({ msg }) => msg.startsWith('this server')), 'it knows what it is');
  expect(await ready()).toMatchObject({ ready: true, role: 'passive', writes: false, reason: 'read_only' });
  const { stdout } = await pair.passive.ktadmin(['audit', 'show', '--json']);
  expect(stdout).toContain('"session.open"');
});

test('what writes is refused before anything is written', async () => {
  expect(await own.put('new', 'handle=new')).toMatchObject(READ_ONLY);
  expect(await own.ask('DELETE', '/v1/handles/kept')).toMatchObject(READ_ONLY);
  expect(await own.ask('GET', '/v1/handles/counted')).toMatchObject(READ_ONLY);
  const id = randomBytes(32).toString('hex').slice(0, 43);
  expect(await own.ask('POST', `/v1/deposits/${id}/recovery`)).toMatchObject(READ_ONLY);
  const registered = await register(passive, await createMachine(), { organization: 'prod' });
  expect(registered).toMatchObject({ status: 503, json: READ_ONLY.json });
  const added = await pair.passive.orgtool(['add', '-n', 'prod', '-c', 'jake@example.com']);
  expect({ ...added, stderr: withoutDrop(added.stderr) }).toMatchObject({
    ...{ status: 3, stdout: '' },
    stderr: `ktadmin: error: nothing was written: this is the passive server
ktadmin: hint: run the command on the active one
`,
  });
});

test('its pages say that it is the passive server', async () => {
  for (const path of [`/?q=${invitation}`, `/approval?q=${approval}&to=approve`]) {
    const page = await ask(passive.port, path);
    expect([page.status, titleOf(page)]).toEqual([503, 'This is the passive server']);
  }
  const pressed = await pressButton(passive, approval, 'decision=approved');
  expect([pressed.status, titleOf(pressed)]).toEqual([503, 'This is the passive server']);
  expect(pressed.body).toContain('Nothing was changed.');
});

test('until here its log has nothing but what it is', () => {
  const lines = logged().map(({ level, msg }) => [level, msg.replace(/ on .*/, '')]);
  expect(lines.toSorted()).toEqual([
    ['info', 'listening'],
    ['info', 'this server is passive: it answers reads, and takes no writes'],
  ]);
});

test('once PostgreSQL is promoted it takes writes, without a restart, and mails leave', async () => {
  expect(smtp.mails).toEqual([]);
  await pair.passive.query('select pg_promote()');
  expect(await own.put('new', 'handle=new')).toMatchObject({ status: 201 });
  expect(await own.ask('GET', '/v1/handles/counted')).toMatchObject({ status: 200 });
  await until(() => smtp.mails.length === 1, 'the invitation leaves');
  await until(async () => /"active"/.test(JSON.stringify(await ready())), 'it is active');
  expect(await ready()).toMatchObject({ ready: true, role: 'active', writes: true });
});

test('once its pair went on without it, it answers nothing but its health and its fingerprint', async () => {
  await setReplication(pair.passive, [`keytrustee.role = 'fenced'`, 'default_transaction_read_only = on']);
  const isFenced = { status: 503, json: { error: { code: 'fenced' } } };
  await until(async () => (await api(passive, 'POST', '/v1/challenges')).status === 503, 'it knows');
  for (const path of ['/v1/handles/kept', '/v1/deposits', '/v1/client'])
    expect(await own.ask('GET', path)).toMatchObject(isFenced);
  expect(await own.put('late')).toMatchObject(isFenced);
  expect(await api(passive, 'POST', '/v1/challenges')).toMatchObject(isFenced);
  expect(await ask(passive.port, '/v1/health/live')).toMatchObject({ status: 200 });
  expect(await ask(passive.port, '/v1/health/ready')).toMatchObject({ status: 503 });
  expect(await ready()).toMatchObject({ ready: false, role: 'fenced', writes: false, reason: 'fenced' });
  expect((await ask(passive.port, '/?a=fingerprint')).status).toBe(200);
  expect(titleOf(await ask(passive.port, `/?q=${invitation}`))).toBe('This server is out of use');
  const added = await pair.passive.orgtool(['add', '-n', 'late', '-c', 'jake@example.com']);
  expect({ ...added, stderr: withoutDrop(added.stderr) }).toMatchObject({
    ...{ status: 3, stdout: '' },
    stderr: `ktadmin: error: nothing was written: this server is fenced, because its pair went on without it
ktadmin: hint: ktadmin ha rejoin makes it the passive server
`,
  });
});
