/** What the server does about a passive one that goes away: under both, and under degrade-after. Real PostgreSQL, real mail. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askServer } from '../../../src/lib/core/control.ts';
import type { PairStatus } from '../../../src/lib/replication/status.ts';
import { ahead, hasFaketime } from '../../support/clock.ts';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { freePort, type TestServer, until } from '../../support/sandbox.ts';
import { configure, type Serving, serving } from '../../support/serving.ts';
import { type MailServer, mailServer, taken } from '../../support/smtp.ts';

const pair = sharedPair();
const cleanUps: (() => Promise<void>)[] = [];
const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp);
let smtp: MailServer;
let running: Serving;
let metricsPort: number;

beforeAll(async () => {
  const { active } = pair;
  smtp = await mailServer({}, { atEnd });
  metricsPort = await freePort();
  await configure(active, {
    ...{ MAIL_TRANSPORT: 'smtp', SMTP_HOST: '127.0.0.1', SMTP_PORT: smtp.port, METRICS_PORT: metricsPort },
  });
  await must(active.orgtool(['add', '-n', 'one', '-c', 'finn@example.com']));
  await active.query('delete from graphile_worker._private_jobs');
  running = await serving(active, { atEnd });
});
afterAll(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
});

const told = async (server: TestServer): Promise<PairStatus> =>
  JSON.parse((await server.ktadmin(['ha', 'status', '--json'])).stdout);

/** What the watcher has recorded: the event, and of what it was done to that which is the same in each run. */
async function recorded(): Promise<unknown[]> {
  const { stdout } = await pair.active.ktadmin(['audit', 'show', '--json']);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    const { event, what } = JSON.parse(line) as { event: string; what: Record<string, unknown> };
    if (!event.startsWith('ha.') || event === 'ha.sync') return [];
    return [[event, what.passive, what.policy ?? what.because ?? null]];
  });
}

const subjects = () => smtp.mails.map(({ to, raw }) => `${to.join()}: ${taken(raw).headers.subject}`);

/** The metrics of the pair. */
async function metrics(): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('keytrustee_ha_'));
  return Object.fromEntries(
    lines.map((line) => [line.replace(/^keytrustee_ha_| .*$/g, ''), Number(line.split(' ')[1])]),
  );
}

const goes = () => must(pair.passive.ktadmin(['db', 'stop']));
const comes = () => must(pair.passive.ktadmin(['db', 'start']));
const said = (text: string) => until(() => running.stderr().includes(text), text);

/** Waits until the watcher has seen the passive in step in this run of PostgreSQL: only then it may go on without it. */
async function seenInStep(): Promise<void> {
  const { active } = pair;
  await untilInStep(pair);
  const started = Number(await active.query('select extract(epoch from pg_postmaster_start_time())')) * 1000;
  await until(async () => {
    const { seen } = JSON.parse(await readFile(join(active.pgRootdir, 'replication/watch.json'), 'utf8'));
    return Math.abs(Date.parse(seen as string) - started) < 2;
  }, 'the watcher has seen it in step');
}

async function policy(value: string): Promise<void> {
  await configure(pair.active, { HA_WRITE_POLICY: value });
  await askServer(pair.active.confdir, 'reload');
  await until(
    async () => (await pair.passive.query('select 1')) === '1' && (await told(pair.passive)).policy === value,
    'the passive knows the policy',
  );
  await seenInStep();
}

/** What is written by a command, which is refused where both servers are needed. */
const write = (name: string) => pair.active.orgtool(['add', '-n', name, '-c', 'finn@example.com']);

test('metrics of a pair in step', async () => {
  expect(await metrics()).toEqual({
    ...{ 'role{role="active"}': 1, writes: 1, passive_connected: 1, sync: 1, degraded: 0, epoch: 1 },
    ...{ lag_bytes: expect.any(Number), lag_seconds: expect.any(Number) },
    slot_retained_bytes: expect.any(Number),
  });
});

test('policy both: writes are refused, the loss and the return are recorded, and after a minute there is a mail', async () => {
  const { active } = pair;
  await goes();
  await said('the passive server is away');
  expect(await metrics()).toMatchObject({ writes: 0, passive_connected: 0, sync: 0, degraded: 0 });
  expect((await write('refused')).status).toBe(3);
  running.kill('SIGTERM');
  await running.ended;
  // Two minutes pass while the server is down.
  const file = join(active.pgRootdir, 'replication/watch.json');
  const memory = JSON.parse(await readFile(file, 'utf8')) as { away: string };
  const away = new Date(Date.parse(memory.away) - 120_000).toISOString();
  await writeFile(file, JSON.stringify({ ...memory, away }));
  running = await serving(active, { atEnd });
  await until(() => subjects().includes('finn@example.com: KeyTrustee Passive Server Away'), 'mail arrives');
  expect(await told(active)).toMatchObject({ state: 'passive-away', awaySince: away });
  await comes();
  await said('the passive server is back');
  await untilInStep(pair);
  expect(await recorded()).toEqual([
    ['ha.passive-away', 'localhost', 'both'],
    ['ha.passive-back', 'localhost', null],
  ]);
  expect((await told(active)).awaySince).toBe(null);
});

test('degrade-after: it goes on alone, loudly, and waits again by itself when the passive has caught up', async () => {
  const { active, passive } = pair;
  await policy('degrade-after 2');
  smtp.mails.length = 0;
  await goes();
  await said('degraded');
  expect(await told(active)).toMatchObject({ state: 'degraded', writes: true, sync: 'degraded' });
  expect(await metrics()).toMatchObject({ writes: 1, passive_connected: 0, sync: 0, degraded: 1 });
  await must(write('alone'));
  const { stdout } = await active.ktadmin(['doctor']);
  expect(stdout).toContain('WARNING   replication  degraded since ');
  await comes();
  await seenInStep();
  expect(await passive.query("select name from organization where name = 'alone'")).toBe('alone');
  // The organization that was added meanwhile has a mail sent, too.
  const ofPair = () => subjects().filter((subject) => subject.includes('Pair'));
  await until(() => ofPair().length >= 2, 'both mails arrive');
  expect(ofPair()).toEqual([
    'finn@example.com: KeyTrustee Pair Degraded',
    'finn@example.com: KeyTrustee Pair Restored',
  ]);
  expect((await recorded()).slice(2)).toEqual([
    ['ha.passive-away', 'localhost', 'degrade-after 2'],
    ['ha.degrade', 'localhost', 'degrade-after 2'],
    ['ha.passive-back', 'localhost', null],
    ['ha.restore', 'localhost', 'caught up'],
  ]);
});

test.skipIf(!hasFaketime)(
  'defect: a server whose clock is behind that of PostgreSQL degraded again and again (needs faketime)',
  async () => {
    const { active } = pair;
    const restart = async (env: Record<string, string>) => {
      running.kill('SIGTERM');
      await running.ended;
      running = await serving(active, { atEnd, env });
    };
    await restart(ahead(-1800));
    await seenInStep();
    const before = (await recorded()).length;
    await goes();
    await said('degraded');
    await must(write('meanwhile'));
    expect(await told(active)).toMatchObject({ state: 'degraded', writes: true });
    await comes();
    await said('changes wait for the passive server again');
    await seenInStep();
    expect((await recorded()).slice(before).map((line) => (line as unknown[])[0])).toEqual([
      ...['ha.passive-away', 'ha.degrade', 'ha.passive-back', 'ha.restore'],
    ]);
    await restart({});
    await seenInStep();
  },
);

test('a degraded server whose PostgreSQL is started again demands the passive, and does not go on without it again', async () => {
  const { active } = pair;
  await goes();
  await until(async () => (await told(active)).state === 'degraded', 'it is degraded');
  await must(active.ktadmin(['db', 'restart']));
  expect(await told(active)).toMatchObject({ state: 'passive-away', writes: false, sync: 'on' });
  await said('the pair cannot be watched now');
  expect((await write('refused')).status).toBe(3);
  await comes();
  await seenInStep();
  expect((await metrics()).writes).toBe(1);
});

test('the policy is set back while the server is degraded: it waits for the passive at once', async () => {
  const { active } = pair;
  await goes();
  await until(async () => (await told(active)).state === 'degraded', 'it is degraded');
  await configure(active, { HA_WRITE_POLICY: 'both' });
  await askServer(active.confdir, 'reload');
  await until(async () => (await told(active)).state === 'passive-away', 'it waits again');
  expect((await recorded()).at(-1)).toEqual(['ha.restore', 'localhost', 'demanded']);
  await comes();
  await untilInStep(pair);
  const own = () => pair.node(active) as Promise<{ aloneSince?: unknown }>;
  await until(async () => (await own()).aloneSince === null, 'nothing counts on it alone');
});

test('an active server that was cut off, and whose pair went on without it, fences itself', async () => {
  const { active, passive } = pair;
  running.kill('SIGTERM');
  await running.ended;
  const lock = await readFile(join(active.pgRootdir, 'data/postmaster.pid'), 'utf8');
  const pid = Number(lock.split('\n')[0]);
  process.kill(pid, 'SIGSTOP');
  try {
    await must(passive.ktadmin(['ha', 'promote', '--i-have-stopped-the-active']));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  running = await serving(active, { atEnd });
  await said('this server is fenced');
  expect((await recorded()).at(-1)).toEqual(['ha.fenced', undefined, null]);
  expect(await told(active)).toMatchObject({ state: 'fenced', epoch: 2 });
  const { stdout } = await active.ktadmin(['doctor']);
  const fenced =
    'CRITICAL  replication  fenced: the pair went on without this server; next: ktadmin ha rejoin\n';
  expect(stdout).toContain(fenced);
  expect(stdout).toMatch(/server +is fenced: its pair went on without it; next: ktadmin ha rejoin\n/);
  expect((await told(passive)).remarks.map(({ code }) => code)).toEqual(['peer-fenced']);
  await until(async () => (await metrics())['role{role="fenced"}'] === 1, 'its metrics say so');
  expect((await metrics()).writes).toBe(0);
});
