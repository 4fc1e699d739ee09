/** The command lines of published automation (reference: original-tools 3.3) and what they rely on. */
import { expect, test } from 'vitest';
import { kt, sharedServer } from '../../support/sandbox.ts';

const server = sharedServer();
/** They name the directory on the command line, so the environment does not. */
const orgtool = (args: string[]) => kt('keytrustee-orgtool', args);

test('cloudera-labs/cloudera.cluster: --confdir before and after the verb, stdout is JSON, auth_secret is read', async () => {
  const empty = await orgtool(['--confdir', server.confdir, 'list']);
  expect(JSON.parse(empty.stdout)).toEqual({});
  for (const _ of [1, 2]) {
    const added = await orgtool(['add', '-n', 'cluster', '-c', 'a@example.com', '--confdir', server.confdir]);
    expect(added).toMatchObject({ status: 0, stdout: '' });
  }
  const { stdout } = await orgtool(['--confdir', server.confdir, 'list']);
  const parsed = JSON.parse(stdout) as Record<string, { auth_secret: string }>;
  expect(Object.keys(parsed)).toEqual(['cluster']);
  expect(parsed.cluster?.auth_secret).toHaveLength(24);
});

test('clouderasecurity/ansible: name and code are looked for as substrings of stdout', async () => {
  const place = ['--confdir', server.confdir];
  const isListed = async (text: string) => (await orgtool(['list', ...place])).stdout.includes(text);
  expect(await isListed('ansible-org')).toBe(false);
  await orgtool(['add', '-n', 'ansible-org', '-c', 'b@example.com', ...place]);
  expect(await isListed('ansible-org')).toBe(true);
  expect(await isListed('ThisISAs3cr3t!')).toBe(false);
  const set = await orgtool(['set-auth', '-n', 'ansible-org', '-s', 'ThisISAs3cr3t!', ...place]);
  expect(set).toMatchObject({ status: 0, stdout: '' });
  expect(await isListed('ThisISAs3cr3t!')).toBe(true);
});

test('cwjohnston/chef-ztrustee: JSON of list, several contacts, set-auth', async () => {
  const place = ['--confdir', server.confdir];
  await orgtool(['add', '-n', 'chef', '-c', 'a@example.com,b@example.com', ...place]);
  await orgtool(['set-auth', '-n', 'chef', '-s', 'code', ...place]);
  const parsed = JSON.parse((await orgtool(['list', ...place])).stdout) as Record<string, unknown>;
  expect(parsed.chef).toMatchObject({ auth_secret: 'code', contacts: ['a@example.com', 'b@example.com'] });
});

test('jvprosser/cluster-setup: add and list as typed by hand', async () => {
  expect((await server.orgtool(['add', '-n', 'PROD', '-c', 'root@localhost'])).status).toBe(0);
  expect(JSON.parse((await server.orgtool(['list'])).stdout)).toHaveProperty('PROD.contacts', [
    'root@localhost',
  ]);
});
