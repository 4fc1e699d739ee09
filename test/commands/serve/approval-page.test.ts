import { beforeAll, expect, test } from 'vitest';
import { randomToken } from '../../../src/lib/core/random.ts';
import { addTestClient } from '../../support/database.ts';
import { pressButton, titleOf } from '../../support/forms.ts';
import { askContact, rowOf } from '../../support/links.ts';
import { sharedServer } from '../../support/sandbox.ts';
import { ask, configure, sharedServing } from '../../support/serving.ts';

const server = sharedServer();
// A mail that is sent would make links of its own, which take the place of those made here.
const served = sharedServing(server, () => configure(server, { MAIL_TRANSPORT: 'none' }));
const [FINN, JAKE] = ['finn@example.com', 'jake@example.com'];

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', `${FINN},${JAKE}`]);
});

const press = (token: string, body: string, headers?: Record<string, string>) =>
  pressButton(served, token, body, headers);
const stateOf = (fingerprint: string) =>
  rowOf(server, 'select state from public.client where fingerprint = $1', [fingerprint]);

test('following a link decides nothing, whatever it says; of two who press at once one decides', async () => {
  const client = '1'.repeat(40);
  await addTestClient(server, 'prod', client);
  const [finn, jake] = [await askContact(server, FINN, client), await askContact(server, JAKE, client)];
  for (const method of ['GET', 'HEAD'])
    expect((await ask(served.port, `/approval?q=${finn}&to=approve`, { method })).status).toBe(200);
  expect(await stateOf(client)).toEqual({ state: 'pending' });
  const answers = await Promise.all([press(finn, 'decision=approved'), press(jake, 'decision=denied')]);
  const { state } = (await stateOf(client)) as { state: string };
  const title = state === 'active' ? 'The machine is approved' : 'The machine is denied';
  expect(answers.map(titleOf)).toEqual([title, title]);
  const sql = 'select count(*) from public.client_approval where used_at is not null';
  expect(await rowOf(server, sql)).toEqual({ count: 1 });
});

test('a link is worth nothing once it expired, or the client was decided elsewhere', async () => {
  const client = '2'.repeat(40);
  await addTestClient(server, 'prod', client);
  const expired = await press(await askContact(server, FINN, client, 'expired'), 'decision=approved');
  expect([expired.status, titleOf(expired)]).toEqual([410, 'This link has expired']);
  expect(await stateOf(client)).toEqual({ state: 'pending' });
  const token = await askContact(server, FINN, client);
  await server.orgtool(['disable-client', '--fingerprint', client]);
  const late = await press(token, 'decision=approved');
  expect(titleOf(late)).toBe('This is decided already');
  expect(late.body).toContain('The server refuses the machine.');
  expect(await stateOf(client)).toEqual({ state: 'disabled' });
});

test('a link of an organization that is disabled or has expired changes nothing, and the attempt is recorded', async () => {
  const client = '4'.repeat(40);
  await server.orgtool(['add', '-n', 'stopped', '-c', 'ann@example.com']);
  await addTestClient(server, 'stopped', client);
  const token = await askContact(server, 'ann@example.com', client);
  for (const stop of ['state = 1', 'expires_at = now()']) {
    await server.query(`update organization set ${stop} where name = 'stopped'`);
    const shown = await ask(served.port, `/approval?q=${token}&to=approve`);
    for (const answer of [shown, await press(token, 'decision=approved')])
      expect([answer.status, titleOf(answer)]).toEqual([403, 'The organization is stopped']);
    await server.query(`update organization set state = 0, expires_at = null where name = 'stopped'`);
  }
  expect(await stateOf(client)).toEqual({ state: 'pending' });
  const { stdout } = await server.ktadmin(['audit', 'show', '--event', 'client.approve', '--json']);
  expect(stdout.match(/"the organization is stopped"/g)).toHaveLength(2);
  expect(titleOf(await press(token, 'decision=approved'))).toBe('The machine is approved');
});

test('unknown tokens, other words, other sites and other forms decide nothing', async () => {
  const client = '3'.repeat(40);
  await addTestClient(server, 'prod', client);
  const token = await askContact(server, FINN, client);
  expect((await press(randomToken(), 'decision=approved')).status).toBe(404);
  expect((await ask(served.port, '/approval')).status).toBe(404);
  for (const body of ['', 'decision=', 'decision=active', 'decision=approved&decision=denied'])
    expect((await press(token, body)).status).toBe(400);
  expect((await press(token, 'decision=approved', { 'sec-fetch-site': 'same-site' })).status).toBe(400);
  expect(await stateOf(client)).toEqual({ state: 'pending' });
});
