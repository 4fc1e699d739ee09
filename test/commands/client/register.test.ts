/** `keytrustee register` and `status`, against a real server. */
import { chmod, lstat, readdir, readFile, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { certifyLocalhost, newMachine, organizationCode } from '../../support/keytrustee.ts';
import { freePort, type Outcome, sharedServer } from '../../support/sandbox.ts';
import { sharedServing } from '../../support/serving.ts';

const server = sharedServer();
let ca: string;
const running = sharedServing(server, async () => {
  ca = await certifyLocalhost(server);
});
let code: string;
let url: string;

beforeAll(async () => {
  code = await organizationCode(server, 'prod');
  url = `https://localhost:${running.port}`;
});

const told = ({ status, stdout, stderr }: Outcome) => ({ status, stdout, stderr });
const FINGERPRINT = /^[0-9A-F]{40}\n$/;

test('with the code a machine may store at once; its files are its own', async () => {
  const machine = await newMachine(server);
  const words = [
    'register',
    '--server',
    url,
    '--org',
    'prod',
    '--auth-stdin',
    '--ca-file',
    ca,
    '-n',
    'web 1',
  ];
  const registered = await machine.keytrustee(words, { input: `${code}\n` });
  expect(told(registered)).toEqual({
    status: 0,
    stdout: expect.stringMatching(FINGERPRINT),
    stderr: 'registered with prod\n',
  });
  const names = (await readdir(machine.home)).toSorted();
  expect(names).toEqual(['client.conf', 'client.key', 'pending']);
  const modes = await Promise.all(['.', ...names].map((name) => lstat(join(machine.home, name))));
  expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['700', '600', '600', '700']);
  expect(await machine.json(['status'])).toEqual({
    fingerprint: registered.stdout.trim(),
    organization: 'prod',
    name: 'web 1',
    state: 'active',
    server: url,
    servers: [{ url, answers: true, ready: true, role: 'alone', writes: true, reason: null }],
  });
  const listed = await server.orgtool(['list-clients', '-n', 'prod']);
  expect(listed.stdout).toContain(`prod          ${registered.stdout.trim()}  active`);
});

test('without the code it waits, and says so; with the code, given later, it is active', async () => {
  const machine = await newMachine(server);
  const registered = await machine.keytrustee(['register', '-s', url, '-o', 'prod', '--ca-file', ca]);
  expect(told(registered)).toEqual({
    status: 0,
    stdout: expect.stringMatching(FINGERPRINT),
    stderr: 'an administrator of prod must approve this client\nkeytrustee status tells when it is active\n',
  });
  expect(await machine.keytrustee(['put'], { input: 'x' })).toMatchObject({
    status: 3,
    stdout: '',
    stderr:
      'ktadmin: error: this client waits for approval\nktadmin: hint: an administrator of the organization approves it; or register again with its authorization code\n',
  });
  const waiting = await machine.keytrustee(['status']);
  expect(told(waiting)).toEqual({
    status: 3,
    stdout: expect.stringMatching(/^state +pending$/m),
    stderr: '',
  });
  const again = await machine.keytrustee(['register', '--auth', code]);
  expect(told(again)).toEqual({
    status: 0,
    stdout: registered.stdout,
    stderr:
      'ktadmin: warning: other users can see the code in the list of processes; --auth-stdin hides it\nregistered with prod\n',
  });
  expect((await machine.keytrustee(['status'])).status).toBe(0);
});

test('a wrong code, and an organization that is not there, are one answer, and register nothing', async () => {
  const machine = await newMachine(server);
  for (const organization of ['prod', 'nobody']) {
    const words = ['register', '-s', url, '-o', organization, '--auth-stdin', '--ca-file', ca];
    expect(told(await machine.keytrustee(words, { input: 'guessed' }))).toEqual({
      status: 8,
      stdout: '',
      stderr:
        'ktadmin: error: the organization or the authorization code is wrong\nktadmin: hint: ask an administrator of the organization for the code\n',
    });
  }
  expect(told(await machine.keytrustee(['list']))).toEqual({
    status: 3,
    stdout: '',
    stderr: `ktadmin: error: no client is registered in ${machine.home}\nktadmin: hint: keytrustee register makes it known to a server\n`,
  });
});

test('a client that was stopped is refused at its next request, and let in again', async () => {
  const machine = await newMachine(server);
  const words = ['register', '-s', url, '-o', 'prod', '--auth-stdin', '--ca-file', ca];
  const { stdout } = await machine.keytrustee(words, { input: code });
  await server.orgtool(['disable-client', '--fingerprint', stdout.trim()]);
  expect(told(await machine.keytrustee(['list']))).toEqual({
    status: 4,
    stdout: '',
    stderr:
      'ktadmin: error: this client was stopped\nktadmin: hint: ask an administrator of the organization\n',
  });
  expect(await machine.keytrustee(['status'])).toMatchObject({
    status: 4,
    stdout: expect.stringContaining('disabled'),
  });
  expect(await machine.keytrustee(['register', '--auth-stdin'], { input: code })).toMatchObject({
    status: 4,
  });
  await server.orgtool(['enable-client', '--fingerprint', stdout.trim()]);
  expect(await machine.keytrustee(['list'])).toMatchObject({ status: 0 });
});

test('a certificate that nobody vouches for is refused; unchecked, every command warns', async () => {
  const machine = await newMachine(server);
  const words = ['register', '-s', url, '-o', 'prod', '--auth-stdin'];
  const refused = await machine.keytrustee(words, { input: code });
  expect(refused).toMatchObject({ status: 8, stdout: '' });
  expect(refused.stderr).toMatch(
    /^ktadmin: error: the certificate of https:\/\/localhost:\d+ is not trusted: /,
  );
  expect(refused.stderr).toContain('\nktadmin: hint: register again with --ca-file ');
  const warning = "ktadmin: warning: nobody checks the server's certificate: whoever answers is believed\n";
  const unchecked = await machine.keytrustee([...words, '--skip-ssl-check'], { input: code });
  expect(unchecked).toMatchObject({ status: 0, stderr: `${warning}registered with prod\n` });
  expect(await machine.keytrustee(['list', '-q'])).toMatchObject({ status: 0, stderr: warning });
  const checked = await machine.keytrustee(['register', '--auth-stdin', '--ca-file', ca], { input: code });
  expect(checked).toMatchObject({ status: 0, stderr: 'registered with prod\n' });
  const otherName = ['register', '-s', `https://127.0.0.1:${running.port}`, '--auth-stdin', '--ca-file', ca];
  expect(await machine.keytrustee(otherName, { input: code })).toMatchObject({ status: 8 });
  const configuration = JSON.parse(await readFile(join(machine.home, 'client.conf'), 'utf8')) as object;
  expect(configuration).toMatchObject({ SERVER: url });
});

test('a server that does not answer is given up in time', async () => {
  const machine = await newMachine(server);
  const nowhere = `https://localhost:${await freePort()}`;
  const words = ['register', '-s', nowhere, '-o', 'prod', '--auth-stdin', '--timeout', '1'];
  expect(told(await machine.keytrustee(words, { input: code }))).toEqual({
    status: 7,
    stdout: '',
    stderr: `ktadmin: error: ${nowhere} does not answer (ECONNREFUSED)\nktadmin: hint: nothing was written; is the server running?\n`,
  });
});

test('files that others could read or replace are refused', async () => {
  const machine = await newMachine(server);
  const register = () =>
    machine.keytrustee(['register', '-s', url, '-o', 'prod', '--auth-stdin', '--ca-file', ca], {
      input: code,
    });
  expect((await register()).status).toBe(0);
  const { home } = machine;
  const key = join(home, 'client.key');
  await chmod(key, 0o640);
  const hint = `ktadmin: hint: chmod 0600 ${key}\n`;
  for (const outcome of [await machine.keytrustee(['list']), await register()])
    expect(told(outcome)).toEqual({
      status: 4,
      stdout: '',
      stderr: `ktadmin: error: others may use ${key}\n${hint}`,
    });
  await chmod(key, 0o600);
  await chmod(home, 0o710);
  expect(await machine.keytrustee(['list'])).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('chmod 0700'),
  });
  await chmod(home, 0o700);
  await rename(key, `${key}.real`);
  await symlink(`${key}.real`, key);
  expect((await machine.keytrustee(['list'])).status).not.toBe(0);
  expect(await readFile(`${key}.real`, 'utf8')).toContain('PRIVATE KEY');
});

test("a server's own directory is no client's", async () => {
  const machine = await newMachine(server);
  const words = ['register', '-s', url, '-o', 'prod', '--home', server.confdir];
  expect(told(await machine.keytrustee(words))).toEqual({
    status: 6,
    stdout: '',
    stderr: `ktadmin: error: ${server.confdir} is the configuration of a server\nktadmin: hint: give the client a directory of its own: --home\n`,
  });
});

test.each([
  ['http://kts01.example.com', 'this is not the address of a server'],
  ['https://user:pass@kts01.example.com', 'this is not the address of a server'],
  ['https://kts01.example.com:99999', 'this is not the address of a server'],
])('%s is refused', async (address, words) => {
  const machine = await newMachine(server);
  const refused = await machine.keytrustee(['register', '-s', address, '-o', 'prod']);
  expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining(words) });
});
