import { expect, test } from 'vitest';
import { run, sharedServer } from '../../support/sandbox.ts';
import { ask, serving } from '../../support/serving.ts';

const server = sharedServer();

test('serves over HTTPS, and ends with status 0 when it is told to', async () => {
  const { port, kill, ended } = await serving(server);
  const printed = await run('curl', ['-sk', `https://127.0.0.1:${port}/?a=fingerprint`]);
  expect(printed).toMatchObject({ status: 0, stdout: server.fingerprint });
  const missing = await ask(port, '/nothing?q=secret');
  expect(missing.status).toBe(404);
  kill('SIGTERM');
  expect(await ended).toEqual({ status: 0, signal: null });
});
test('serves by several processes', async () => {
  const { port, kill, ended } = await serving(server, { args: ['--workers', '2'] });
  const printed = await run('curl', ['-sk', `https://127.0.0.1:${port}/?a=fingerprint`]);
  expect(printed).toMatchObject({ status: 0, stdout: server.fingerprint });
  kill('SIGTERM');
  expect(await ended).toEqual({ status: 0, signal: null });
});
