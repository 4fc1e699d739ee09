import { beforeAll, expect, test } from 'vitest';
import {
  api,
  createMachine,
  enroll,
  type Machine,
  openSession,
  signedChallenge,
} from '../../support/machines.ts';
import { sharedServer } from '../../support/sandbox.ts';
import { sharedServing } from '../../support/serving.ts';

const server = sharedServer();
const running = sharedServing(server);
const UNAUTHENTICATED = { status: 401, json: { error: { code: 'unauthenticated' } } };
let machine: Machine;

beforeAll(async () => {
  machine = await createMachine();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
  await enroll(server, machine, 'prod');
});

test('opens a session for who signs a challenge, once', async () => {
  const body = { fingerprint: machine.fingerprint, ...(await signedChallenge(running, machine)) };
  const first = await api(running, 'POST', '/v1/sessions', { body });
  expect(first).toMatchObject({ status: 201, json: { session: expect.any(String) } });
  const second = await api(running, 'POST', '/v1/sessions', { body });
  expect(second).toMatchObject(UNAUTHENTICATED);
  const stranger = await openSession(running, await createMachine());
  expect(stranger.body).toEqual(second.body);
});
