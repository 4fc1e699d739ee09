/** `ktadmin ha promote` and `ha rejoin`, killed at each of their steps: the same command again finishes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { someOf } from '../../support/long.ts';
import { must, sharedPair } from '../../support/pair.ts';
import { isAlive } from '../../support/processes.ts';
import { refusal, said } from '../../support/refusal.ts';
import { type TestServer, until } from '../../support/sandbox.ts';

const pair = sharedPair();

async function killPostgres({ pgRootdir }: TestServer): Promise<void> {
  const pid = Number.parseInt(await readFile(join(pgRootdir, 'data/postmaster.pid'), 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  await until(async () => !(await isAlive(pid)), 'PostgreSQL has ended');
}

/** Runs a command that is killed at a step. */
async function killed(server: TestServer, words: string[], step: string): Promise<void> {
  const { status, stderr } = await server.ktadmin(words, { env: { KTADMIN_KILL_AT: step } });
  expect([step, status, stderr]).toEqual([step, null, expect.anything()]);
}

const names = (server: TestServer) =>
  server.query("select string_agg(name, ' ' order by name) from organization");

const settings = ({ pgRootdir }: TestServer) => readFile(join(pgRootdir, 'replication.conf'), 'utf8');

/** Each step of a promotion, beside one of a rejoining; a round goes through both. */
const ROUNDS = [
  ['promote-promoted', 'rejoin-aside'],
  ['promote-recorded', 'rejoin-announced'],
  ['promote-fenced', 'rejoin-stopped'],
  ['promote-replayed', 'rejoin-rewound'],
  ['promote-pair', 'rejoin-settled'],
  ['promote-settings', 'rejoin-placed'],
  ['promote-node', 'rejoin-followed'],
] as const;

const BEFORE = new Set(['promote-recorded', 'promote-fenced', 'promote-replayed']);

/** A promotion that was cut off when PostgreSQL had ended its recovery: only the timeline tells the old active server. */
async function meetHalfPromoted(old: TestServer): Promise<void> {
  const started = said(await old.ktadmin(['db', 'start']));
  expect(started.stderr).toContain('ktadmin: warning: the pair goes on without this server: ');
  expect(await pair.node(old)).toMatchObject({ role: 'fenced' });
  expect(said(await old.ktadmin(['ha', 'rejoin']))).toEqual(
    refusal(
      3,
      'localhost does not know itself as the active server: its promotion was cut off, or it is this server',
      'on localhost: ktadmin ha promote finishes it',
    ),
  );
}

/** What a passive server is after a promotion that was cut off. */
async function expectUnfinished(server: TestServer, step: string): Promise<void> {
  const recovers = await server.query('select pg_is_in_recovery()');
  const hasSource = (await settings(server)).includes('primary_conninfo');
  const isBefore = BEFORE.has(step);
  expect([recovers, hasSource || !isBefore]).toEqual([isBefore ? 't' : 'f', true]);
}

async function promoteAgain(server: TestServer, step: string, epoch: number): Promise<void> {
  const again = said(await server.ktadmin(['ha', 'promote']));
  if (step === 'promote-node')
    expect(again).toEqual(refusal(3, 'this is the active server already', 'ktadmin ha status'));
  else expect(again).toMatchObject({ status: 0, stdout: `active: this server, since epoch ${epoch}\n` });
  expect(await pair.node(server)).toMatchObject({ role: 'active', epoch });
  expect(await settings(server)).toContain("keytrustee.role = 'active'");
}

/** A data directory that was being rewound cannot be started, and its place says what to do. */
async function meetHalfRewound(server: TestServer): Promise<void> {
  expect(said(await server.ktadmin(['db', 'start']))).toEqual(
    refusal(3, `${server.pgRootdir}/data was being rewound when that was cut off`, 'ktadmin ha rejoin'),
  );
}

let round = 0;

test.each(someOf(ROUNDS))('killed at %s, and then at %s', async (atPromote, atRejoin) => {
  round += 1;
  const [from, to] = [pair.active, pair.passive];
  await must(from.orgtool(['add', '-n', `round-${round}`, '-c', 'root@localhost', '-q']));
  const before = await names(to);
  const { epoch } = await pair.node(from);
  await killPostgres(from);
  await killed(to, ['ha', 'promote'], atPromote);
  await expectUnfinished(to, atPromote);
  if (atPromote === 'promote-promoted') await meetHalfPromoted(from);
  await promoteAgain(to, atPromote, epoch + 1);
  await must(to.orgtool(['add', '-n', `after-${round}`, '-c', 'root@localhost', '-q']));
  await killed(from, ['ha', 'rejoin'], atRejoin);
  if (['rejoin-aside', 'rejoin-rewound', 'rejoin-settled'].includes(atRejoin)) await meetHalfRewound(from);
  const rejoined = said(await from.ktadmin(['ha', 'rejoin']));
  expect(rejoined).toMatchObject({ status: 0, stdout: `passive: follows localhost, epoch ${epoch + 1}\n` });
  await must(to.ktadmin(['ha', 'sync', 'on', '-q']));
  expect(await names(from)).toBe(`after-${round} ${before}`.split(' ').toSorted().join(' '));
  expect(await pair.node(from)).toMatchObject({ role: 'passive', epoch: epoch + 1 });
  Object.assign(pair, { active: to, passive: from });
});
