/** The manual's procedure by hand: files copied into .ssl, keytrustee.conf edited, the server started again or told. */
import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { issueChain } from '../../support/authorities.ts';
import { run, temporaryDirectory, testServer, until, withoutDrop } from '../../support/sandbox.ts';
import { configure, type Serving, serving } from '../../support/serving.ts';

const HOST = 'kts01.example.com';

/** A server, and two certificates of two authorities for it; the key of the first has a password. */
async function prepare() {
  const server = await testServer({ start: false });
  const directory = await temporaryDirectory();
  await Promise.all([issueChain(directory, 'first', HOST), issueChain(directory, 'second', HOST)]);
  const lock = ['pkey', '-in', 'first.key', '-aes256', '-passout', 'pass:password', '-out', 'locked.key'];
  expect(await run('openssl', lock, { cwd: directory })).toMatchObject({ status: 0 });
  /** Copies a file into .ssl as the manual says, and names it in keytrustee.conf. */
  const put = async (setting: string, name: string) => {
    const path = join(server.confdir, '.ssl', name);
    await copyFile(join(directory, name), path);
    await chmod(path, 0o600);
    await run('chown', ['--reference', server.confdir, path]);
    await configure(server, { [setting]: path });
  };
  /** Which of the certificates `cert show` has seen on the wire, and whether that is the configured one. */
  const show = async () => {
    const { stdout, stderr } = await server.ktadmin(['cert', 'show', '--json']);
    const { agrees, presented } = JSON.parse(stdout);
    const chain = presented[0].chain.map(({ subject }: { subject: string }) => subject.replace(/,.*/, ''));
    return { agrees, own: presented[0].chain[0].subject, length: chain.length, said: withoutDrop(stderr) };
  };
  /** Whether curl, which trusts one authority alone, gets an answer. */
  const isTrusted = async (authority: string, { port }: Serving) => {
    const reach = [
      '--resolve',
      `${HOST}:${port}:127.0.0.1`,
      '--cacert',
      join(directory, `${authority}-root.pem`),
    ];
    const { stdout } = await run('curl', ['-sS', ...reach, `https://${HOST}:${port}/?a=fingerprint`]);
    return stdout === server.fingerprint;
  };
  return { server, put, show, isTrusted };
}

const disagreement = ({ pid, port }: Serving) =>
  `ktadmin: warning: https://[::]:${port} presents another chain than keytrustee.conf names\n` +
  `ktadmin: warning: kill -HUP ${pid} has the server read keytrustee.conf and its files again; ktadmin cert check says before whether they are good\n`;

test('files copied and settings edited by hand are served after a restart, and after SIGHUP', {
  timeout: 180_000,
}, async () => {
  const { server, put, show, isTrusted } = await prepare();
  const before = await serving(server);
  const made = `CN=${HOST}, emailAddress=keytrustee@${HOST}`;
  expect(await show()).toEqual({ agrees: true, own: made, length: 1, said: '' });
  await put('SSL_CERTIFICATE', 'first.pem');
  await put('SSL_PRIVATE_KEY', 'locked.key');
  await put('SSL_CA_CERTIFICATE', 'first-middle.pem');
  await configure(server, { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/echo -n password' });
  expect(await show()).toEqual({ agrees: false, own: made, length: 1, said: disagreement(before) });
  const people = await server.ktadmin(['cert', 'show']);
  expect(people.stdout).toContain('  subject         O=Example, CN=first\n');
  expect(people.stdout).toContain('  certificate     ANOTHER than configured\n');
  before.kill('SIGTERM');
  await before.ended;

  const after = await serving(server, { args: ['--workers', '2'] });
  expect(await show()).toEqual({ agrees: true, own: 'O=Example, CN=first', length: 2, said: '' });
  expect(await isTrusted('first', after)).toBe(true);
  expect(await isTrusted('second', after)).toBe(false);
  await put('SSL_CERTIFICATE', 'second-chain.pem');
  await put('SSL_PRIVATE_KEY', 'second.key');
  await configure(server, { SSL_CA_CERTIFICATE: undefined });
  expect(await show()).toMatchObject({
    agrees: false,
    own: 'O=Example, CN=first',
    said: disagreement(after),
  });
  after.kill('SIGHUP');
  await until(async () => (await show()).agrees === true, 'the server presents what is configured');
  expect(await show()).toEqual({ agrees: true, own: 'O=Example, CN=second', length: 2, said: '' });
  expect(await isTrusted('second', after)).toBe(true);
});
