/** What a server answers to its owner on its own machine. */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { askServer } from '../../../src/lib/core/control.ts';
import { testServer } from '../../support/sandbox.ts';
import { configure, serving } from '../../support/serving.ts';

test('a server tells its owner where it listens, reloads when asked, and says why it does not', async () => {
  const server = await testServer();
  const { confdir } = server;
  const socket = join(confdir, 'S.keytrusteed');
  expect(await askServer(confdir, 'state')).toBeUndefined();
  // What a killed server leaves.
  await writeFile(socket, '');
  const running = await serving(server, { args: ['--workers', '2'] });
  expect((await stat(socket)).mode & 0o777).toBe(0o600);
  const state = { pid: running.pid, addresses: [`https://[::]:${running.port}`], workers: 2 };
  expect(await askServer(confdir, 'state')).toEqual({ value: state });
  await askServer(confdir, 'reload');
  expect(running.stderr()).toContain('reloaded: settings and certificate are in use');
  await configure(server, { SSL_CIPHERS: 'NO-SUCH' });
  await expect(askServer(confdir, 'reload')).rejects.toMatchObject({
    code: 'failed',
    message: 'SSL_CIPHERS: OpenSSL knows no cipher NO-SUCH',
  });
  running.kill('SIGTERM');
  await running.ended;
  expect(await askServer(confdir, 'state')).toBeUndefined();
});
