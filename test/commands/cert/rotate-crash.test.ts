/** `cert rotate` and `cert rollback`, killed at each of their steps: the server goes on, and the same command finishes. */
import { beforeAll, expect, test } from 'vitest';
import { readPair } from '../../../src/lib/tls/pair.ts';
import { probe } from '../../../src/lib/tls/probe.ts';
import {
  type Authority,
  authority,
  certificateEvents,
  configurationOf,
  storeOf,
} from '../../support/authority.ts';
import { someOf } from '../../support/long.ts';
import { sharedServer, temporaryDirectory } from '../../support/sandbox.ts';
import { sharedServing } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const server = sharedServer();
const running = sharedServing(server);
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), HOST);
  for (const name of ['a', 'b']) await ca.issue(name);
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const STEPS = [
  ...['staged', 'journaled', 'placed', 'switched', 'reloaded', 'probed', 'recorded', 'tidied'],
].map((step) => `cert-${step}`);

/** What the server presents, and whether what its configuration names is a pair that it could start with. */
async function look(): Promise<{ presented: string; configured: string }> {
  const { chain } = await probe({ host: '127.0.0.1', port: running.port, servername: HOST });
  const pair = await readPair((await configurationOf(server)) as never);
  expect(pair.chain[0]?.checkPrivateKey(pair.key)).toBe(true);
  return { presented: `${chain[0]?.subject}`, configured: `${pair.chain[0]?.subject}` };
}

/** Runs a command that is killed at a step, looks, runs it again, and looks whether it was done once. */
async function killedAt(step: string, words: string[], from: string, to: string): Promise<void> {
  const recorded = (await certificateEvents(server)).length;
  const killed = await server.ktadmin(['cert', ...words], { env: { KTADMIN_KILL_AT: step } });
  expect([killed.signal ?? killed.status, killed.stdout]).toEqual([killed.signal ? 'SIGKILL' : 137, '']);
  const place = STEPS.indexOf(step);
  const [old, now] = [`CN=${from}`, `CN=${to}`];
  expect(await look()).toEqual({ presented: place < 4 ? old : now, configured: place < 3 ? old : now });
  const again = await server.ktadmin(['cert', ...words]);
  expect([again.status, again.stderr.includes('error')]).toEqual([0, false]);
  expect(again.stdout).toContain(`in use now: CN=${to},`);
  expect(await look()).toEqual({ presented: now, configured: now });
  const done = (await certificateEvents(server)).slice(recorded);
  expect(done).toEqual([`certificate.${words[0]} done CN=${to}`]);
  const left = (await storeOf(server)).filter((name) => !/^(kept-)?STAMP$|^ssl-cert-/.test(name));
  expect(left).toEqual([]);
}

test('a rotation that is killed at any step leaves a whole pair, and the same command finishes it', async () => {
  expect((await server.ktadmin(['cert', 'rotate', ...ca.options('a')])).status).toBe(0);
  let [from, to] = ['a', 'b'];
  for (const step of STEPS) {
    await killedAt(step, ['rotate', ...ca.options(to)], from, to);
    [from, to] = [to, from];
  }
});

test('a rollback that is killed at any step leaves a whole pair, and the same command finishes it', async () => {
  expect((await server.ktadmin(['cert', 'rotate', ...ca.options('b')])).stdout).toContain('CN=b');
  let [from, to] = ['b', 'a'];
  for (const step of someOf(STEPS)) {
    await killedAt(step, ['rollback'], from, to);
    [from, to] = [to, from];
  }
});

test('a rotation that was cut off is finished by another one before that begins', async () => {
  const env = { KTADMIN_KILL_AT: 'cert-switched' };
  await server.ktadmin(['cert', 'rotate', ...ca.options('a')]);
  const recorded = (await certificateEvents(server)).length;
  await server.ktadmin(['cert', 'rotate', ...ca.options('b')], { env });
  expect((await server.ktadmin(['cert', 'rollback'])).stdout).toContain('in use now: CN=a,');
  expect((await certificateEvents(server)).slice(recorded)).toEqual([
    'certificate.rotate done CN=b',
    'certificate.rollback done CN=a',
  ]);
});
