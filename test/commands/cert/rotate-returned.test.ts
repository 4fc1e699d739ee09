/** `cert rotate`, killed while it goes back because the server refused to reload: the old pair is whole, the rerun finishes. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probe } from '../../../src/lib/tls/probe.ts';
import { authority, certificateEvents, configurationOf, storeOf } from '../../support/authority.ts';
import { give } from '../../support/faults.ts';
import { temporaryDirectory, testServer } from '../../support/sandbox.ts';
import { configure, serving } from '../../support/serving.ts';

const HOST = 'kts01.example.com';

test('killed at cert-returned: the server starts with the old pair, and the same command finishes', async () => {
  const server = await testServer();
  const ca = await authority(await temporaryDirectory(), HOST);
  await ca.issue('new');
  // The program runs it twice, when it reads the key and when it looks at what it wrote; then the server does.
  const lines = [`echo >>${ca.at('count')}`, `[ $(wc -l <${ca.at('count')}) != 3 ] || exit 9`, 'echo s3cr3t'];
  await writeFile(ca.at('script'), `#!/bin/sh\n${lines.join('\n')}\n`);
  await chmod(ca.at('script'), 0o755);
  const beginAgain = async () => {
    await writeFile(ca.at('count'), '');
    await give(ca.at('count'));
  };
  const rotate = (env = {}) =>
    server.ktadmin(['cert', 'rotate', ...ca.options('new'), '--password-script', ca.at('script')], { env });
  await configure(server, { METRICS_PORT: 0 });
  const settings = await configurationOf(server);
  const store = await storeOf(server);
  const first = await serving(server);

  await beginAgain();
  const killed = await rotate({ KTADMIN_KILL_AT: 'cert-returned' });
  expect([killed.signal ?? killed.status, killed.stdout]).toEqual([killed.signal ? 'SIGKILL' : 137, '']);
  expect(await configurationOf(server)).toEqual(settings);
  expect(await storeOf(server)).toContain('rotation.json');
  first.kill('SIGKILL');
  await first.ended;
  const second = await serving(server);
  const presented = async () => {
    const { chain } = await probe({ host: '127.0.0.1', port: second.port, servername: HOST });
    return chain[0]?.subject.split('\n')[0];
  };
  expect(await presented()).toBe(`CN=${HOST}`);

  await beginAgain();
  expect((await rotate()).stderr).toContain(
    'error: SSL_PRIVATE_KEY_PASSWORD_SCRIPT failed (exit status 9); the certificate that was in use stays in use\n',
  );
  expect(await presented()).toBe(`CN=${HOST}`);
  expect(await storeOf(server)).toEqual(store);
  expect(await certificateEvents(server)).toEqual(['certificate.rotate failed CN=new']);

  expect(await rotate()).toMatchObject({ status: 0 });
  expect(await presented()).toBe('CN=new');
  const { SSL_CERTIFICATE } = await configurationOf(server);
  expect(`${SSL_CERTIFICATE}`.startsWith(join(server.confdir, '.ssl/20'))).toBe(true);
  expect(await storeOf(server)).toEqual(['STAMP', 'kept-STAMP', ...store]);
  expect(await certificateEvents(server)).toEqual([
    'certificate.rotate failed CN=new',
    'certificate.rotate done CN=new',
  ]);
});
