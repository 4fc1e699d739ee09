/** Whatever ends a partial restore: the server has all of it or nothing, a rerun finishes, and no scratch database stays. */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ONLY_STEPS } from '../../src/lib/backups/steps.ts';
import { onDatabase } from '../support/database.ts';
import {
  aClient,
  aDeposit,
  contentOf,
  databases,
  dumpLines,
  uuid,
  withoutOrganization,
} from '../support/deposits.ts';
import { fakePostgres } from '../support/faults.ts';
import { someOf } from '../support/long.ts';
import { refusal, said } from '../support/refusal.ts';
import {
  ownedDirectory,
  type RunOptions,
  type TestServer,
  temporaryDirectory,
  testServer,
  until,
} from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';

type Content = Awaited<ReturnType<typeof contentOf>>;

/** A server that has lost an organization, a set that has it, and what was there before. */
async function place(): Promise<{ server: TestServer; set: string; whole: Content }> {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  await server.query(
    `${aClient('prod', 'A')} ${aDeposit('A', 'one', 'disk/1')} ${aDeposit('A', 'two', null)}`,
  );
  const set = await backup(server);
  const whole = await contentOf(server);
  await server.query(withoutOrganization('prod'));
  return { server, set, whole };
}

const restore = (server: TestServer, set: string, options: RunOptions = {}) =>
  server.ktadmin(['restore', set, '--only', 'organization=prod', '--yes', '--quiet'], options);

const scratchDatabases = (server: TestServer) =>
  server.query("select count(*) from pg_database where datname like 'keytrustee\\_new\\_%'");

test.each(someOf(ONLY_STEPS))(
  'killed at %s, all of it is there or nothing, and a rerun finishes',
  async (step) => {
    const { server, set, whole } = await place();
    const before = await dumpLines(server);
    const killed = await restore(server, set, { env: { KTADMIN_KILL_AT: step } });
    expect(killed).toMatchObject({ status: null, signal: 'SIGKILL' });
    if (step === 'only-committed') expect(await contentOf(server)).toEqual(whole);
    else expect(await dumpLines(server)).toEqual(before);
    expect(await scratchDatabases(server)).toBe('1');
    expect(await restore(server, set)).toMatchObject({ status: 0, stderr: expect.any(String) });
    expect(await contentOf(server)).toEqual(whole);
    expect(await databases(server)).toBe('keytrustee postgres');
  },
);

test('killed and never run again: the next whole restore sweeps what it left', async () => {
  const { server, set, whole } = await place();
  await restore(server, set, { env: { KTADMIN_KILL_AT: 'only-copied' } });
  expect(await server.ktadmin(['restore', set, '--yes', '--quiet'])).toMatchObject({ status: 0 });
  expect(await contentOf(server)).toEqual(whole);
  expect(await scratchDatabases(server)).toBe('0');
});

test.each(['only', 'whole'])(
  'a second restore (%s) at the same time is refused: status 75',
  async (second) => {
    const { server, set, whole } = await place();
    const scratch = await ownedDirectory(await temporaryDirectory(), 'scratch');
    const PG_BINDIR = await fakePostgres(scratch, {
      psql: `touch ${scratch}/held; while [ -d ${scratch} ] && [ ! -e ${scratch}/go ]; do sleep 0.05; done; exec "$REAL" "$@"`,
    });
    const first = restore(server, set, { env: { PG_BINDIR } });
    await until(() => existsSync(`${scratch}/held`), 'the first restore loads');
    const other =
      second === 'only'
        ? await restore(server, set)
        : await server.ktadmin(['restore', set, '--yes', '--quiet']);
    expect(said(other)).toEqual(
      refusal(75, 'another restore of this server is running', 'wait until it has ended'),
    );
    await writeFile(`${scratch}/go`, '');
    expect(await first).toMatchObject({ status: 0 });
    expect(await contentOf(server)).toEqual(whole);
    expect(await databases(server)).toBe('keytrustee postgres');
  },
);

/** Runs a partial restore that has to wait for somebody else's open transaction, and does something when it waits. */
async function meanwhile(
  { server, set }: { server: TestServer; set: string },
  sql: string,
  what: (
    run: { kill(signal: NodeJS.Signals): boolean },
    end: (sql: string) => Promise<unknown>,
  ) => Promise<unknown>,
) {
  return onDatabase(server, async (other) => {
    await other.query('begin');
    await other.query(sql);
    let child: { kill(signal: NodeJS.Signals): boolean } | undefined;
    const run = restore(server, set, { started: (process) => (child = process) });
    const waits = async () => {
      const { rows } = await other.query<{ count: number }>(
        'select count(*)::integer from pg_locks where not granted',
      );
      return (rows[0]?.count ?? 0) > 0;
    };
    await until(waits, 'the restore waits for the other transaction');
    await what(child ?? expect.fail('not started'), (end) => other.query(end));
    return said(await run);
  });
}

const taken = (name: string, handle: string) =>
  `insert into organization (uuid, name, auth_secret) values ('${uuid(name)}', 'prod', 'code ${handle}')`;

test('a conflict that appears while it copies rolls everything back: status 6', async () => {
  const all = await place();
  const outcome = await meanwhile(all, taken('late', 'x'), (_, end) => end('commit'));
  expect(outcome).toEqual(
    refusal(6, 'nothing was changed: the database was changed by others meanwhile', 'run the command again'),
  );
  const now = await contentOf(all.server);
  expect(now.organizations).toHaveLength(1);
  expect({ ...now, organizations: [] }).toEqual({
    organizations: [],
    contacts: [],
    clients: [],
    deposits: [],
    invitations: [],
  });
  expect(await databases(all.server)).toBe('keytrustee postgres');
  const again = said(await restore(all.server, all.set));
  expect(again).toMatchObject({
    status: 6,
    stderr: expect.stringContaining('organization prod is another one now'),
  });
});

test('a handle that is taken in the last moment rolls everything back: status 6', async () => {
  const all = await place();
  const { server, set } = all;
  await restore(server, set);
  await server.query(`delete from deposit`);
  const before = await dumpLines(server);
  const outcome = await meanwhile(all, aDeposit('A', 'late', 'disk/1'), (_, end) => end('commit'));
  expect(outcome).toMatchObject({ status: 6, stdout: '' });
  const after = await dumpLines(server);
  expect(after.filter((line) => !before.includes(line))).toEqual([expect.stringContaining(uuid('late'))]);
});

test('Ctrl-C while it copies changes nothing and leaves nothing', async () => {
  const all = await place();
  const before = await dumpLines(all.server);
  const outcome = await meanwhile(all, taken('late', 'x'), async (run, end) => {
    run.kill('SIGINT');
    await until(async () => (await scratchDatabases(all.server)) === '0', 'the scratch database is dropped');
    await end('rollback');
  });
  expect(outcome).toEqual({ status: 130, stdout: '', stderr: expect.stringMatching(/interrupted/i) });
  expect(await dumpLines(all.server)).toEqual(before);
  expect(await databases(all.server)).toBe('keytrustee postgres');
});

test('the database stopped while it copies: status 7, nothing is changed, and a rerun finishes', async () => {
  const all = await place();
  const { server, set, whole } = all;
  const before = await dumpLines(server);
  const outcome = await meanwhile(all, taken('late', 'x'), () => server.ktadmin(['db', 'stop']));
  expect(outcome).toMatchObject({ status: 7, stdout: '' });
  await server.ktadmin(['db', 'start']);
  expect(await dumpLines(server)).toEqual(before);
  expect(await restore(server, set)).toMatchObject({ status: 0 });
  expect(await contentOf(server)).toEqual(whole);
  expect(await databases(server)).toBe('keytrustee postgres');
});

test('a set whose database does not load changes nothing and leaves nothing', async () => {
  const { server, set } = await place();
  const before = await dumpLines(server);
  const scratch = await ownedDirectory(await temporaryDirectory(), 'scratch');
  const PG_BINDIR = await fakePostgres(scratch, { psql: 'head -c 3000 | "$REAL" "$@"; exit 1' });
  expect(await restore(server, set, { env: { PG_BINDIR } })).toMatchObject({ status: 1, stdout: '' });
  expect(await dumpLines(server)).toEqual(before);
  expect(await databases(server)).toBe('keytrustee postgres');
  await rm(scratch, { recursive: true });
});

test('a deposit that was damaged before the set was made is refused: status 8, and nothing changes', async () => {
  const { server } = await place();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  await server.query(
    `${aClient('prod', 'A')} ${aDeposit('A', 'one', 'disk/1')} update deposit set content = 'damaged';`,
  );
  const set = await backup(server);
  await server.query('delete from deposit');
  const before = await dumpLines(server);
  expect(said(await restore(server, set))).toEqual(
    refusal(8, `deposit ${uuid('one')} was damaged when the set was made: its SHA-256 differs`),
  );
  expect(await dumpLines(server)).toEqual(before);
});
