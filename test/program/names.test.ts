import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kt, run, sharedServer, temporaryDirectory, withoutDrop, world } from '../support/sandbox.ts';

const server = sharedServer();
const environment = () => ({ KEYTRUSTEE_CONFDIR: server.confdir });

test('keytrustee-orgtool list and ktadmin orgtool list print the same bytes', async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'a@example.com']);
  const old = await server.orgtool(['list']);
  expect(old.stdout).toContain('"prod"');
  expect(await server.ktadmin(['orgtool', 'list'])).toEqual(old);
});

test.each(['ktbackup', 'ktbackup.sh'])('%s is ktadmin backup', async (name) => {
  const env = environment();
  const output = join(server.directory, name);
  const made = await kt(name, ['--cleartext', '--quiet', '--output', output], { env });
  expect(made.status).toBe(0);
  expect(made.stdout).toMatch(new RegExp(`^${output}/kts_bak_kts01_example_com_[0-9_-]+\\.tar\n$`));
});

test('ktbackup.sh as a link of a link, below another directory, is still ktadmin backup', async () => {
  const directory = await temporaryDirectory();
  await symlink(join(world.bin, 'ktbackup.sh'), join(directory, 'x'));
  await symlink(join(directory, 'x'), join(directory, 'ktbackup.sh'));
  const { stdout, stderr, status } = await run(join(directory, 'ktbackup.sh'), ['--help']);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  expect(stdout).toMatch(/^Usage: ktbackup \[options\]\n/);
});

test.each([
  ['keytrustee-server', 'serve'],
  ['keytrustee', 'client'],
])('%s says that this version has no command %s yet', async (name, word) => {
  const called = await kt(name, ['--help']);
  if (called.status === 0) return;
  expect(called).toEqual({
    status: 2,
    signal: null,
    stdout: '',
    stderr: `ktadmin: error: ${name}: this version has no command ${word}\nktadmin: hint: ktadmin --help lists the commands\n`,
  });
});

test('a name that is none of these is ktadmin', async () => {
  const directory = await temporaryDirectory();
  await symlink(join(world.bin, 'ktadmin'), join(directory, 'constructor'));
  const called = await run(join(directory, 'constructor'), ['orgtool', 'list'], { env: environment() });
  expect(called).toMatchObject({ status: 0 });
  expect(withoutDrop(called.stderr)).toBe('');
});

test('--version says it on one line, and as JSON, under every name and for every topic', async () => {
  const line = /^ktadmin \d+\.\d+\.\d+ \(commit [0-9a-z]+, node [\d.]+, openssl [\d.]+[a-z+]*\)\n$/;
  const texts = [
    await kt('ktadmin', ['--version']),
    await kt('ktbackup', ['--version']),
    await kt('ktadmin', ['orgtool', '--version']),
    await kt('ktadmin', ['orgtool', 'add', '--version']),
  ];
  for (const { status, stdout, stderr } of texts) {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(line);
  }
  for (const args of [
    ['--version', '--json'],
    ['--json', 'orgtool', '--version'],
  ]) {
    const { status, stdout } = await kt('ktadmin', args);
    expect(status).toBe(0);
    expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['version', 'commit', 'node', 'openssl']);
  }
  expect((await kt('ktadmin', ['--version'])).stdout).toContain(process.versions.node);
});

test('--version behind -- or as a value is not the version', async () => {
  const value = await server.orgtool(['list', '-n', '--version']);
  expect(value.status).toBe(5);
  const words = await server.ktadmin(['db', 'psql', '--', '--version']);
  expect(words.stdout).toMatch(/^psql \(PostgreSQL\)/);
});
