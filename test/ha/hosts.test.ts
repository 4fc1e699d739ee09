/** The two hosts on which the tests of a pair happen: that they are apart, and that faults hit just what they should. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type Host, sharedHosts } from '../support/hosts.ts';
import { isAlive } from '../support/processes.ts';
import { run, until } from '../support/sandbox.ts';
import { ask, type Serving } from '../support/serving.ts';

const pair = sharedHosts({ disk: '256m' });
let served: Serving;

/** Sets a server up as the manual has it, with the product's own paths and ports. */
async function setUp(host: Host): Promise<Serving> {
  await host.must(['init']);
  await host.must(['db', 'start']);
  return host.serve();
}

/** Whether a host reaches the other's server; a second has to be enough. */
async function reaches(from: Host, { name }: Host): Promise<boolean> {
  const look = `require('node:net').connect(11371, '${name}').on('connect', () => process.exit(0)).on('error', () => process.exit(2))`;
  const done = await from.run('timeout', ['1', process.execPath, '-e', look]);
  return done.status === 0;
}

test('both hosts run the product where it lies on a real machine, and each is itself', async () => {
  const { kt01, kt02 } = pair;
  const servers = await Promise.all([setUp(kt01), setUp(kt02)]);
  const fingerprints = await Promise.all(
    [kt01, kt02].map(async ({ name }) => (await ask(11371, '/?a=fingerprint', { host: name })).body),
  );
  expect(fingerprints).toEqual([
    expect.stringMatching(/^4096R\/[0-9A-F]{40}\n?$/),
    expect.stringMatching(/^4096R\/[0-9A-F]{40}\n?$/),
  ]);
  expect(fingerprints[0]).not.toBe(fingerprints[1]);
  expect(await readdir(kt01.path('/var/lib'))).toEqual(['keytrustee']);
  expect((await kt02.run('hostname', [])).stdout).toBe('kt02.example.com\n');
  servers[0].kill('SIGTERM');
  expect(await servers[0].ended).toEqual({ status: 0, signal: null });
  expect(await isAlive(servers[1].pid)).toBe(true);
  served = await kt01.serve();
});

test('a cut link loses packets of open connections too, and the client still reaches both', async () => {
  const { kt01, kt02 } = pair;
  expect([await reaches(kt01, kt02), await reaches(kt02, kt01)]).toEqual([true, true]);
  await pair.cutLink();
  expect([await reaches(kt01, kt02), await reaches(kt02, kt01)]).toEqual([false, false]);
  for (const { name } of [kt01, kt02])
    expect((await ask(11371, '/?a=fingerprint', { host: name })).status).toBe(200);
  await pair.healLink();
  expect([await reaches(kt01, kt02), await reaches(kt02, kt01)]).toEqual([true, true]);
});

test('kill -9 ends the PostgreSQL or the server of one host', async () => {
  const { kt01, kt02 } = pair;
  const [one, other] = [await kt01.postmaster(), await kt02.postmaster()];
  await kt01.kill9('postgres');
  await until(async () => (await kt01.postmaster()) === undefined, 'PostgreSQL has ended');
  expect(await isAlive(one ?? 0)).toBe(false);
  expect(await kt02.postmaster()).toBe(other);
  await kt01.must(['db', 'start']);
  expect(await kt01.query('select 1')).toBe('1');
  await kt01.kill9('server');
  expect(await served.ended).toEqual({ status: null, signal: 'SIGKILL' });
});

test('a full disk takes nothing more, until there is room again', async () => {
  const { kt02 } = pair;
  const write = () => kt02.asAccount('fallocate', ['-l', '1m', `${kt02.pgRootdir}/more`]);
  await kt02.fillDisk();
  expect((await write()).stderr).toContain('No space left on device');
  await kt02.freeDisk();
  expect((await write()).status).toBe(0);
});

test('nothing of a pair outlives it', async () => {
  const { kt01, kt02 } = pair;
  const running = await Promise.all([kt01.postmaster(), kt02.postmaster()]);
  expect(await Promise.all(running.map((pid) => isAlive(pid ?? 0)))).toEqual([true, true]);
  await pair.end();
  expect(await Promise.all(running.map((pid) => isAlive(pid ?? 0)))).toEqual([false, false]);
  expect((await run('ip', ['-brief', 'link'])).stdout).toMatch(/^lo .*\n$/);
});
