import { beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  createMachine,
  enroll,
  type Machine,
  openSession,
  signedChallenge,
} from '../../support/machines.ts';
import { sharedServer } from '../../support/sandbox.ts';
import { configure, serving, sharedServing } from '../../support/serving.ts';

const server = sharedServer();
const running = sharedServing(server, () => configure(server, { RATE_LIMIT_ADDRESS: 100_000 }));
let machine: Machine;

beforeAll(async () => {
  machine = await createMachine();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
  await enroll(server, machine, 'prod');
});

const refused = (status: number, code: string) => ({ status, json: { error: { code } } });
const UNAUTHENTICATED = refused(401, 'unauthenticated');
const show = (session: string) => api(running, 'GET', '/v1/client', { session });
async function session(): Promise<string> {
  return String((await openSession(running, machine)).json.session);
}

test('a signed challenge opens a session once', async () => {
  const body = { fingerprint: machine.fingerprint, ...(await signedChallenge(running, machine)) };
  const answers = await Promise.all([1, 2, 3].map(() => api(running, 'POST', '/v1/sessions', { body })));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 401, 401]);
  expect(await api(running, 'POST', '/v1/sessions', { body })).toMatchObject(UNAUTHENTICATED);
});

test('whoever is not known is told the same as whoever signs wrongly', async () => {
  const stranger = await openSession(running, await createMachine());
  const forged = await openSession(running, { ...(await createMachine()), fingerprint: machine.fingerprint });
  const proof = await signedChallenge(running, machine);
  const nonsense = { fingerprint: machine.fingerprint, ...proof, signature: 'no signature' };
  const odd = await api(running, 'POST', '/v1/sessions', { body: nonsense });
  expect(stranger).toMatchObject(UNAUTHENTICATED);
  expect([forged.body, odd.body]).toEqual([stranger.body, stranger.body]);
  expect(stranger.headers['www-authenticate']).toBe('Bearer');
});

describe('no session is', () => {
  test('a challenge, a changed token, none, or one of another kind', async () => {
    const good = await session();
    const { challenge } = await signedChallenge(running, machine);
    const [purpose, , ...rest] = good.split('.');
    const flipped = `${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`;
    const spare = `${good.slice(0, -1)}${String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`;
    for (const token of [
      challenge,
      flipped,
      spare,
      `${good}.`,
      [purpose, '1', ...rest].join('.').slice(1),
      '',
      '.',
    ])
      expect(await show(token)).toMatchObject(UNAUTHENTICATED);
    const headers = { authorization: `Basic ${good}` };
    expect(await api(running, 'GET', '/v1/client', { headers })).toMatchObject(UNAUTHENTICATED);
    expect(await api(running, 'GET', '/v1/client')).toMatchObject(UNAUTHENTICATED);
    expect((await show(good)).status).toBe(200);
  });
});

describe('a session is refused at the next request', () => {
  test.each([
    ['disable-client', 'enable-client', () => ['--fingerprint', machine.fingerprint], 'client_disabled'],
    ['disable', 'enable', () => ['-n', 'prod'], 'organization_disabled'],
  ])('after %s, until %s', async (stop, start, of, code) => {
    const token = await session();
    expect((await show(token)).status).toBe(200);
    await server.orgtool([stop, ...of()]);
    expect(await show(token)).toMatchObject(refused(403, code));
    expect(await openSession(running, machine)).toMatchObject(refused(403, code));
    await server.orgtool([start, ...of()]);
    expect((await show(token)).status).toBe(200);
  });

  test('after the organization has expired, and after the client was removed', async () => {
    const token = await session();
    await server.query(`update organization set expires_at = now() where name = 'prod'`);
    expect(await show(token)).toMatchObject(refused(403, 'organization_disabled'));
    await server.query('update organization set expires_at = null');
    await server.query('delete from client');
    expect(await show(token)).toMatchObject(UNAUTHENTICATED);
  });
});

test('what another run of the server gave out is worth nothing', async () => {
  await enroll(server, machine, 'prod');
  const before = await session();
  const proof = await signedChallenge(running, machine);
  running.kill('SIGTERM');
  await running.ended;
  const other = await serving(server);
  const shown = await api(other, 'GET', '/v1/client', { session: before });
  const body = { fingerprint: machine.fingerprint, ...proof };
  const opened = await api(other, 'POST', '/v1/sessions', { body });
  expect([shown, opened]).toMatchObject([UNAUTHENTICATED, UNAUTHENTICATED]);
  expect((await openSession(other, machine)).status).toBe(201);
});
