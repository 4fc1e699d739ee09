/** `ktadmin db psql`. */
import { expect, test } from 'vitest';
import { said } from '../../support/refusal.ts';
import { isRoot, testServer, until, world } from '../../support/sandbox.ts';
import { noTmux, onTerminal } from '../../support/tmux.ts';

test('what stands after -- goes to psql, and its exit status is ours', async () => {
  const server = await testServer();
  const psql = (...args: string[]) => server.ktadmin(['db', 'psql', '--', '-X', ...args]);
  expect(said(await psql('-At', '-c', 'select current_user, current_database()'))).toEqual({
    status: 0,
    stdout: 'keytrustee|keytrustee\n',
    stderr: '',
  });
  const failed = said(await psql('-c', 'select nonsense'));
  expect(failed).toMatchObject({ status: 1, stdout: '' });
  expect(failed.stderr).toMatch(/^ERROR: {2}column "nonsense" does not exist\n/);
  expect(await psql('-v', 'ON_ERROR_STOP=1', '-f', '-')).toMatchObject({ status: 0 });
  expect(await psql('--nonsense')).toMatchObject({ status: 1 });
  await server.ktadmin(['db', 'stop']);
  const unreachable = said(await psql('-c', 'select 1'));
  expect(unreachable).toEqual({
    status: 7,
    stdout: '',
    stderr:
      `ktadmin: error: the database does not answer (port ${server.port}, socket in ${server.pgRootdir}/run)\n` +
      `ktadmin: hint: ktadmin db start --pg-rootdir ${server.pgRootdir}\n`,
  });
});

test('psql reads its standard input', async () => {
  const server = await testServer();
  const answer = await server.ktadmin(['db', 'psql', '--', '-X', '-At'], {
    input: "select 'from the pipe';\n",
  });
  expect(said(answer)).toEqual({ status: 0, stdout: 'from the pipe\n', stderr: '' });
  const script = ['db', 'psql', '--', '-X', '-v', 'ON_ERROR_STOP=1'];
  expect(await server.ktadmin(script, { input: 'select nonsense;\n' })).toMatchObject({ status: 3 });
});

test('a psql that is told to end by SIGTERM takes its query with it', async () => {
  const server = await testServer();
  let kill = (_: NodeJS.Signals) => false;
  const running = server.ktadmin(['db', 'psql', '--', '-X', '-c', 'select pg_sleep(601)'], {
    started: (child) => (kill = child.kill),
  });
  const count =
    "select count(*) from pg_stat_activity where query like '%pg_sleep(601)%' and pid <> pg_backend_pid()";
  await until(async () => (await server.query(count)) === '1', 'the query runs');
  kill('SIGTERM');
  const ended = said(await running);
  expect(ended.status).toBe(143);
  expect(ended.stderr).toMatch(/ktadmin: error: interrupted by SIGTERM\n$/);
});

test.skipIf(noTmux)(
  'Ctrl-C in psql is psql’s: it ends a query, as often as it is typed, and psql goes on',
  async () => {
    const server = await testServer();
    const screen = await onTerminal(
      ['ktadmin', 'db', 'psql', '--confdir', server.confdir, '--', '-X', '-At'],
      {
        PSQL_PAGER: '',
      },
    );
    await screen.shows('keytrustee=#');
    for (const number of [1, 2, 3]) {
      await screen.type(`select pg_sleep(60${number}); -- ${'x'.repeat(number)}`, 'Enter');
      const count = `select count(*) from pg_stat_activity where query like '%pg_sleep(60${number})%' and pid <> pg_backend_pid()`;
      await until(async () => (await server.query(count)) !== '0', 'the query runs');
      await screen.type('C-c');
      await until(
        async () =>
          ((await screen.text()).match(/canceling statement due to user request/g)?.length ?? 0) === number,
        'the query is cancelled',
      );
    }
    await screen.type("select 'still ' || 'here';", 'Enter');
    await screen.shows('still here');
    await screen.type('\\q', 'Enter');
    expect(await screen.status()).toBe(0);
    if (isRoot) await screen.shows(`Dropped privileges to ${world.account.name}`);
  },
);
