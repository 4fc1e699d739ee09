/** `ktadmin ha status`: a pair seen from both of its sides, each also with the other one down; and what `doctor` says of it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { PairStatus } from '../../../src/lib/replication/status.ts';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { type TestServer, until, withoutDrop } from '../../support/sandbox.ts';
import { configure, serving } from '../../support/serving.ts';

const pair = sharedPair('joined');

/** What the two sides say, each by itself. */
async function told(server: TestServer, status = 0): Promise<PairStatus> {
  const outcome = await server.ktadmin(['ha', 'status', '--json']);
  expect([outcome.status, withoutDrop(outcome.stderr)]).toEqual([status, '']);
  return JSON.parse(outcome.stdout);
}

const next = ({ remarks }: PairStatus) => remarks.map(({ code, next: what }) => [code, what]);

/** What `doctor` says of the pair. */
async function judged(server: TestServer): Promise<unknown[]> {
  const { checks } = JSON.parse((await server.ktadmin(['doctor', '--json'])).stdout) as {
    checks: { name: string; state: string; message: string; hint: string | null }[];
  };
  return checks.flatMap(({ name, state, message, hint }) =>
    name === 'replication' ? [state, message, hint] : [],
  );
}

/** Text without what differs from run to run. */
const plain = (text: string) =>
  text
    .replace(/port \d+/g, 'port N')
    .replace(/[0-9A-F]+\/[0-9A-F]{5,8}/g, 'LSN')
    .replace(/kt[0-9a-f]{16}/g, 'ktID')
    .replace(/[\d.]+ (?:KiB|MiB|bytes) (?=of|to)/g, 'N ')
    .replace(/\d+\.\d s/g, 'N s')
    .replace(/15\.\d+/g, '15.N')
    .replaceAll(pair.active.fingerprint, 'FINGERPRINT');

test('a pair that is not synchronous: a warning on either side, with the server on which to end it', async () => {
  const { active, passive } = pair;
  expect(await told(active)).toMatchObject({ state: 'sync-off', writes: true, sync: 'off', policy: 'both' });
  expect(next(await told(active))).toEqual([['sync-off', 'ktadmin ha sync on']]);
  expect(next(await told(passive))).toEqual([['sync-off', 'on localhost: ktadmin ha sync on']]);
});

test('a pair in step, in words', async () => {
  const { active, passive } = pair;
  await must(active.ktadmin(['ha', 'sync', 'on']));
  const { status, stdout, stderr } = await active.ktadmin(['ha', 'status']);
  expect([status, withoutDrop(stderr)]).toEqual([0, '']);
  expect(plain(stdout)).toBe(`the pair
  state           in-step
  writes          are taken
  sync            on
  policy          both
  epoch           1

localhost, this server
  role            active
  PostgreSQL      15.N, answers at port N
  HTTPS           does not answer
  fingerprint     FINGERPRINT
  version         ktadmin 0.1.0
  timeline        1
  epoch           1
  position        LSN
  passive         streaming, sync, from 127.0.0.1
  behind          N to write, N to flush, N to apply; N s
  slot            ktID, in use, N of log kept, reserved

localhost
  role            passive
  PostgreSQL      15.N, answers at port N
  HTTPS           does not answer
  fingerprint     FINGERPRINT
  version         ktadmin 0.1.0
  timeline        1
  epoch           1
  receiver        streaming, heard N s ago
  received        LSN
  applied         LSN; N s behind

in step with localhost
`);
  expect(await judged(active)).toEqual(['OK', 'in step with localhost', null]);
  const [own, other] = (await told(passive)).servers;
  expect(own).toMatchObject({ here: true, role: 'passive', inRecovery: true, passive: null, slot: null });
  expect(other).toMatchObject({
    ...{ here: false, role: 'active', inRecovery: false, receiver: null },
    passive: { id: own?.id, state: 'streaming', sync: 'sync', replayBytes: expect.any(Number) },
    slot: { name: own?.id, active: true, state: 'reserved' },
  });
});

test('a key that differs from that of the active server is found', async () => {
  const { passive } = pair;
  const other = `4096R/${'A'.repeat(40)}`;
  const kept = passive.fingerprint;
  const running = await serving(passive);
  await configure(passive, { LOCAL_FINGERPRINT: other, PORT: running.port });
  const words = `the OpenPGP keys differ: localhost has ${other}, localhost ${kept}`;
  expect((await told(passive)).remarks).toContainEqual({
    ...{ severity: 'critical', code: 'keys-differ', message: words },
    next: 'copy the configuration directory of the active server, as ktadmin-ha(8) has it',
  });
  expect((await told(passive)).servers[0]).toMatchObject({ serves: true, fingerprint: other });
  await configure(passive, { LOCAL_FINGERPRINT: kept });
});

test('defect: little space on the passive: it said what is true of the active one, and that did not know', async () => {
  const { active, passive } = pair;
  await configure(passive, { FREE_SPACE_MEGABYTES: 1_000_000_000 });
  const { port } = await serving(passive);
  const id = (await pair.node(passive)).id;
  const sql = `update keytrustee_ha.node set https_port = ${port} where id = '${id}'`;
  await must(active.ktadmin(['db', 'psql', '--', '-d', 'postgres', '-c', sql]));
  expect(next(await told(active))).toContainEqual([
    ...['passive-short', 'on localhost: ktadmin doctor, and make room'],
  ]);
  expect((await passive.ktadmin(['doctor'])).stdout).toMatch(
    /storage .*: when nothing is free this passive server stops, and changes that wait for it are refused on the active one; next: make room there/,
  );
  await configure(passive, { FREE_SPACE_MEGABYTES: 256 });
});

test('defect: nobody said that the clocks of the two differ', async () => {
  const { active, passive } = pair;
  const warnings = async (server: TestServer) => {
    const found = (await told(server)).remarks.filter(({ code }) => code === 'clocks-differ');
    return found.map(({ message, next: what }) => [message, what]);
  };
  const both = async () => [await warnings(active), await warnings(passive)];
  const run = (sql: string) => must(active.ktadmin(['db', 'psql', '--', '-qXd', 'postgres', '-c', sql]));
  expect(await both()).toEqual([[], []]);
  // Each asks the other as this role, and itself as another one.
  await run(`create schema slow; grant usage on schema slow to public; create function slow.clock_timestamp()
    returns timestamptz language sql as $$ select pg_catalog.clock_timestamp() - interval '10 minutes' $$;
    alter role keytrustee_ha set search_path = slow, pg_catalog`);
  const hint = 'on both: timedatectl tells whether the clock is set';
  const behind = [['the clock of localhost is 10 min behind that of localhost', hint]];
  await until(async () => isDeepStrictEqual(await both(), [behind, behind]), 'each tells of the other');
  await run('alter role keytrustee_ha reset search_path; drop schema slow cascade');
  await until(async () => isDeepStrictEqual(await both(), [[], []]), 'they agree again');
});

test('a passive that hangs is waited for no longer than two seconds; it follows until PostgreSQL gives it up', async () => {
  const { active, passive } = pair;
  const lock = await readFile(join(passive.pgRootdir, 'data/postmaster.pid'), 'utf8');
  const pid = Number(lock.split('\n')[0]);
  process.kill(pid, 'SIGSTOP');
  try {
    const { remarks, servers } = await told(active);
    expect(servers[1]).toMatchObject({ reachable: false, role: null });
    expect(remarks.map(({ code }) => code)).toEqual(['peer-silent', 'in-step']);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

test('the passive is down: writes are refused, and each side says where to start what', async () => {
  const { active, passive } = pair;
  await must(passive.ktadmin(['db', 'stop']));
  await until(async () => (await told(active)).state === 'passive-away', 'it is missed');
  const off =
    'on localhost: ktadmin db start; to go on without it, where it was not promoted: ktadmin ha sync off';
  expect(await told(active)).toMatchObject({
    writes: false,
    sync: 'on',
    servers: [{}, { reachable: false }],
  });
  expect(await judged(active)).toEqual(['CRITICAL', 'localhost is away: writes are refused', off]);
  const start = `ktadmin db start --pg-rootdir ${passive.pgRootdir}`;
  expect(next(await told(passive, 7))).toEqual([
    ['database-away', start],
    [
      'passive-away',
      'ktadmin db start; to go on without it, where it was not promoted: on localhost: ktadmin ha sync off',
    ],
  ]);
  expect((await judged(passive))[0]).toBe('UNKNOWN');
  await must(passive.ktadmin(['db', 'start']));
  await untilInStep(pair);
});

test('defect: with its own database down a server said of the other one, which serves, that it does not', async () => {
  const { active, passive } = pair;
  const { port } = await serving(active);
  await configure(active, { PORT: port });
  await must(active.ktadmin(['db', 'start']));
  await untilInStep(pair);
  await must(passive.ktadmin(['db', 'stop']));
  expect((await told(passive, 7)).servers).toMatchObject([{ serves: false }, { serves: true }]);
  await must(active.ktadmin(['db', 'stop']));
  // Now nobody knows the port.
  expect((await told(passive, 7)).servers).toMatchObject([{ serves: false }, { serves: null }]);
  expect((await passive.ktadmin(['ha', 'status'])).stdout).toContain('  HTTPS           not known\n');
  for (const server of [passive, active]) await must(server.ktadmin(['db', 'start']));
  await untilInStep(pair);
});

test('the active is down: the passive says so, and what to do where it is lost', async () => {
  const { active, passive } = pair;
  await must(active.ktadmin(['db', 'stop']));
  const status = await told(passive);
  expect(status).toMatchObject({ state: 'active-away', writes: null, sync: null });
  expect(status.servers[0]).toMatchObject({ receiver: { state: 'stopped', delaySeconds: null } });
  const away = `the active server is away: PostgreSQL of localhost (port ${active.port}) does not answer (ECONNREFUSED)`;
  const promote = 'on localhost: ktadmin db start; where it is lost: ktadmin ha promote';
  expect(await judged(passive)).toEqual(['CRITICAL', away, promote]);
  await must(active.ktadmin(['db', 'start']));
});
