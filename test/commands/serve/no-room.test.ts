/** A server whose disks have less free than its floor: clients add nothing, and everything else goes on. */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { linesOf } from '../../support/audit.ts';
import { type Depositor, depositor } from '../../support/depositor.ts';
import { smallDisk } from '../../support/disk.ts';
import { certifyLocalhost, type Machine, newMachine, registeredMachine } from '../../support/keytrustee.ts';
import { createMachine, register } from '../../support/machines.ts';
import { refusal, said } from '../../support/refusal.ts';
import { freePort, isRoot, sharedServer, testServer, until } from '../../support/sandbox.ts';
import { ask, configure, serving, sharedServing } from '../../support/serving.ts';

/** More than any disk has. */
const EVERYTHING = 1_000_000_000;
const noRoom = { status: 507, json: { error: { code: 'no_room' } } };

const server = sharedServer();
let metricsPort = 0;
const running = sharedServing(server, async () => {
  await certifyLocalhost(server);
  metricsPort = await freePort();
  await configure(server, { METRICS_PORT: metricsPort, MAIL_TRANSPORT: 'none' });
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
  await server.orgtool(['set-auth', '-n', 'prod', '-s', '']);
});
let machine: Machine;
let client: Depositor;

const site = () => ({ port: running.port, organization: 'prod', code: '' });

/** Has the server take over another floor. */
async function keepFree(megabytes: number): Promise<void> {
  await configure(server, { FREE_SPACE_MEGABYTES: megabytes });
  const reloads = () => running.stderr().split('reloaded: settings').length;
  const before = reloads();
  running.kill('SIGHUP');
  await until(() => reloads() > before, 'the server has read its settings again');
}

/** What the client's command says. */
const REFUSED = refusal(
  1,
  'the server has no room: it takes no more deposits and clients for now',
  'its administrator has to make room; what is kept there can be fetched and deleted meanwhile',
);

beforeAll(async () => {
  machine = await registeredMachine(server, site());
  client = await depositor(server, running, 'prod');
});

beforeEach(() => keepFree(256));

test('put is refused at once and in plain words; get, list, status, disable, enable and delete go on', async () => {
  expect(await machine.keytrustee(['put', '--handle', 'kept'], { input: 'kept' })).toMatchObject({
    status: 0,
  });
  const { fingerprint } = await machine.json<{ fingerprint: string }>(['status']);
  await keepFree(EVERYTHING);
  expect(said(await machine.keytrustee(['put', '--handle', 'more'], { input: 'more' }))).toEqual(REFUSED);
  expect(await server.query('select string_agg(handle, chr(32)) from deposit')).toBe('kept');
  expect(await machine.keytrustee(['get', 'kept'])).toMatchObject({ status: 0, stdout: 'kept' });
  expect(await machine.json(['list'])).toMatchObject([{ handle: 'kept' }]);
  const stop = ['disable-client', '--fingerprint', fingerprint];
  expect(await server.orgtool(stop)).toMatchObject({ status: 0 });
  expect(await machine.keytrustee(['get', 'kept'])).toMatchObject({ status: 4 });
  expect(await machine.keytrustee(['put'], { input: 'stopped' })).toMatchObject({ status: 4 });
  expect(await server.orgtool(['enable-client', ...stop.slice(1)])).toMatchObject({ status: 0 });
  expect(await machine.keytrustee(['delete', 'kept'])).toMatchObject({ status: 0 });
  await keepFree(256);
  expect(await machine.keytrustee(['put', '--handle', 'more'], { input: 'more' })).toMatchObject({
    status: 0,
  });
  expect(await machine.keytrustee(['get', 'more'])).toMatchObject({ status: 0, stdout: 'more' });
  expect(await readdir(join(machine.home, 'pending'))).toEqual([]);
});

test('a put that is stored already is answered so, a handle that has expired is not taken over, and no answer asks to come again soon', async () => {
  const key = randomBytes(16).toString('hex');
  const put = () => client.put('same', 'handle=same', { 'idempotency-key': key });
  expect(await put()).toMatchObject({ status: 201 });
  expect(await client.put('spent', 'handle=spent&retrievals=1')).toMatchObject({ status: 201 });
  await server.query(`update deposit set expires_at = now() where handle = 'spent'`);
  await keepFree(EVERYTHING);
  expect(await put()).toMatchObject({ status: 200, json: { handle: 'same' } });
  const refused = await client.put('new', 'handle=spent');
  expect(refused).toMatchObject(noRoom);
  expect(refused.headers['retry-after']).toBeUndefined();
  expect(await server.query(`select deleted_at is null from deposit where handle = 'spent'`)).toBe('t');
});

test('clients that are new are refused; one that is known, and one that waits and has the code now, are not', async () => {
  await server.orgtool(['add', '-n', 'coded', '-c', 'root@localhost', '--quiet']);
  await server.orgtool(['set-auth', '-n', 'coded', '-s', 'code']);
  const waiting = await createMachine();
  expect(await register(running, waiting, { organization: 'coded' })).toMatchObject({ status: 201 });
  await keepFree(EVERYTHING);
  const other = await newMachine(server);
  const ca = join(server.confdir, '.ssl', 'ssl-cert-keytrustee.pem');
  const words = ['register', '-s', `https://localhost:${running.port}`, '-o', 'prod', '--ca-file', ca];
  expect(said(await other.keytrustee(words))).toEqual(REFUSED);
  const wrong = await register(running, await createMachine(), { organization: 'coded', code: 'wrong' });
  expect(wrong).toMatchObject({ status: 403, json: { error: { code: 'wrong_code' } } });
  const brought = await register(running, waiting, { organization: 'coded', code: 'code' });
  expect(brought).toMatchObject({ status: 200, json: { state: 'active' } });
  await keepFree(256);
  expect(await other.keytrustee(words)).toMatchObject({ status: 0 });
});

test('log, doctor and metrics say so, readiness does not fail, and the audit trail keeps one line of many refusals', async () => {
  await keepFree(EVERYTHING);
  const last = (await linesOf(join(server.directory, 'audit'), 'server-1')).length;
  for (let count = 0; count < 20; count += 1) expect(await client.put('more')).toMatchObject(noRoom);
  const lines = (await linesOf(join(server.directory, 'audit'), 'server-1')).slice(last);
  expect(lines.filter(({ reason }) => reason === 'no_room').length).toBeLessThanOrEqual(1);
  expect(running.stderr()).toMatch(/"level":"error".*there is no room: deposits and new clients are refused/);
  expect(await ask(running.port, '/v1/health/ready')).toMatchObject({ status: 200 });
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  for (const place of ['database', 'audit'])
    expect(metrics).toMatch(new RegExp(`^keytrustee_${place}_free_bytes \\d+$`, 'm'));
  const { status, stdout } = await server.ktadmin(['doctor']);
  const less = (directory: string) =>
    `${directory} has N MiB free, less than FREE_SPACE_MEGABYTES (${EVERYTHING}): deposits and new clients are refused; next: make room there, or lower the setting; df -h ${directory}`;
  expect(status).toBe(2);
  expect(
    stdout
      .replace(/\d+ MiB free/g, 'N MiB free')
      .split('\n')
      .slice(-3),
  ).toEqual([
    `CRITICAL  audit        ${less(`${server.directory}/audit`)}`,
    `CRITICAL  storage      ${less(server.pgRootdir)}`,
    '',
  ]);
  await keepFree(0);
  expect(await client.put('more')).toMatchObject({ status: 201 });
  expect(running.stderr()).toContain('there is room again for deposits and clients');
});

test.skipIf(!isRoot)(
  'the disk of the audit trail runs low: puts stop before it is full, commands have what they need, and with space it goes on by itself (needs root: mounts a file system)',
  async () => {
    const disk = await smallDisk('24m');
    const low = await testServer();
    const audit = join(disk.directory, 'audit');
    await configure(low, { AUDIT_DIR: audit, FREE_SPACE_MEGABYTES: 8, METRICS_PORT: 0 });
    await low.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
    const serves = await serving(low);
    const own = await depositor(low, serves, 'prod');
    expect(await own.put('before', 'handle=before')).toMatchObject({ status: 201 });
    await disk.fill(4 * 1024 * 1024);
    await until(async () => (await own.put('more')).status !== 201, 'there is less than the floor');
    expect(await own.put('more')).toMatchObject(noRoom);
    expect(await own.ask('GET', '/v1/handles/before')).toMatchObject({ status: 200 });
    const stop = ['disable-client', '--fingerprint', own.fingerprint];
    expect(await low.orgtool(stop)).toMatchObject({ status: 0 });
    expect(await own.ask('GET', '/v1/handles/before')).toMatchObject({ status: 403 });
    expect(await low.orgtool(['enable-client', ...stop.slice(1)])).toMatchObject({ status: 0 });
    await disk.free();
    await until(async () => (await own.put('after')).status === 201, 'there is room again');
    expect(await low.ktadmin(['audit', 'verify'])).toMatchObject({ status: 0 });
  },
);
