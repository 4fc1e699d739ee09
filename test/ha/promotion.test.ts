/** Promotion where only two hosts with a link between them can show it: the old active one is not dead, and comes back. */
import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { type Host, sharedPairOfHosts } from '../support/hosts.ts';
import { machineOf } from '../support/hosts-machine.ts';
import { until } from '../support/sandbox.ts';

const pair = sharedPairOfHosts();
let keytrustee: Awaited<ReturnType<typeof machineOf>>;

beforeAll(async () => {
  keytrustee = await machineOf(pair.kt01, pair.kt02);
});

async function put(handle: string): Promise<void> {
  const done = await keytrustee(['put', '--handle', handle, '-'], `the key ${handle}`);
  expect(done).toMatchObject({ status: 0 });
}

/** What the client gets for these handles, from whichever server answers. */
async function gotten(...handles: string[]): Promise<string[]> {
  const all = await Promise.all(handles.map((handle) => keytrustee(['get', handle])));
  return all.map(({ stdout, stderr }) => stdout || stderr);
}

async function roleOf(host: Host): Promise<string> {
  const text = await readFile(host.path(`${host.pgRootdir}/replication/node.json`), 'utf8');
  return (JSON.parse(text) as { role: string }).role;
}

const addOrganization = (host: Host, name: string) =>
  host.ktadmin(['orgtool', 'add', '-n', name, '-c', 'root@localhost']);

test('with the link cut, a promotion that is wrong about the active one leaves one server that takes writes', async () => {
  const { kt01, kt02 } = pair;
  await put('before');
  await pair.cutLink();
  // That nobody answers does not say that nobody is there.
  expect((await kt02.ktadmin(['ha', 'promote'])).status).toBe(3);
  await kt02.must(['ha', 'promote', '--i-have-stopped-the-active']);
  await put('during');
  await until(async () => (await addOrganization(kt01, 'too-late')).status === 3, 'kt01 refuses writes');
  await pair.healLink();
  await until(async () => (await roleOf(kt01)) === 'fenced', 'kt01 finds out');
  expect(await gotten('before', 'during')).toEqual(['the key before', 'the key during']);
});

test('the old active one rejoins, and has what was written without it', async () => {
  const { kt01, kt02 } = pair;
  await kt01.must(['ha', 'rejoin']);
  await kt02.must(['ha', 'sync', 'on']);
  await put('after');
  await kt02.kill9('server');
  await kt02.kill9('postgres');
  expect(await gotten('before', 'during', 'after')).toEqual([
    ...['the key before', 'the key during', 'the key after'],
  ]);
});

test('the same in the other direction, after a crash', async () => {
  const { kt01, kt02 } = pair;
  await kt01.must(['ha', 'promote']);
  await put('again');
  await kt02.must(['db', 'start']);
  expect(await roleOf(kt02)).toBe('fenced');
  await kt02.serve();
  expect((await addOrganization(kt02, 'too-late')).status).toBe(3);
  await kt02.must(['ha', 'rejoin']);
  await kt01.must(['ha', 'sync', 'on']);
  expect(await kt01.query("select count(*) from organization where name = 'too-late'")).toBe('0');
  await kt01.kill9('server');
  expect(await gotten('before', 'during', 'after', 'again')).toEqual([
    ...['the key before', 'the key during', 'the key after', 'the key again'],
  ]);
});
