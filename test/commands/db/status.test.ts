/** `ktadmin db status` and `db restart`. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { postmaster } from '../../support/postgres.ts';
import { said } from '../../support/refusal.ts';
import { asAccount, testServer } from '../../support/sandbox.ts';

test('status tells of a running server, for people and as JSON', async () => {
  const { ktadmin, pgRootdir, port, query } = await testServer();
  const pid = await postmaster({ pgRootdir });
  const version = await query('show server_version');
  const places = { socketDirectory: join(pgRootdir, 'run'), dataDirectory: join(pgRootdir, 'data') };
  const asJson = await ktadmin(['db', 'status', '--json']);
  expect(JSON.parse(asJson.stdout)).toEqual({ running: true, pid, port, ...places, version });
  expect(asJson.status).toBe(0);
  expect(said(await ktadmin(['db', 'status']))).toEqual({
    status: 0,
    stderr: '',
    stdout: `running           yes (pid ${pid})
version           ${version}
port              ${port}
socket directory  ${places.socketDirectory}
data directory    ${places.dataDirectory}
`,
  });
});

test('status of a stopped server: the same keys, and exit status 3', async () => {
  const { ktadmin, pgRootdir, port } = await testServer({ start: false });
  const asJson = await ktadmin(['db', 'status', '--json', '--pg-rootdir', pgRootdir]);
  expect(JSON.parse(asJson.stdout)).toEqual({
    running: false,
    pid: null,
    port,
    socketDirectory: join(pgRootdir, 'run'),
    dataDirectory: join(pgRootdir, 'data'),
    version: expect.stringMatching(/^\d+\.\d+/) as string,
  });
  expect(asJson.status).toBe(3);
  const asText = await ktadmin(['db', 'status']);
  expect(asText.stdout).toContain('running           no\n');
  expect(asText.status).toBe(3);
});

test('restart starts another server where one ran, and one where none did', async () => {
  const server = await testServer();
  const before = await postmaster(server);
  const restarted = { status: 0, stdout: '', stderr: `PostgreSQL runs on port ${server.port}\n` };
  expect(said(await server.ktadmin(['db', 'restart']))).toEqual(restarted);
  expect(await postmaster(server)).not.toBe(before);
  expect(await server.query('select 1')).toBe('1');
  await server.ktadmin(['db', 'stop']);
  expect(said(await server.ktadmin(['db', 'restart']))).toEqual(restarted);
  expect(await server.query('select 1')).toBe('1');
});

test('stop ends connections and rolls their transactions back', async () => {
  const server = await testServer();
  const psql = [
    '-h',
    join(server.pgRootdir, 'run'),
    '-p',
    String(server.port),
    '-U',
    'keytrustee',
    '-d',
    'keytrustee',
  ];
  const sql = 'create table kept (); begin; create table lost (); select pg_sleep(600)';
  const waiting = asAccount('psql', [
    ...psql,
    '-X',
    '-c',
    'create table kept ()',
    '-c',
    sql.slice(sql.indexOf('begin')),
  ]);
  const asleep =
    "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()";
  await expect.poll(() => server.query(asleep), { timeout: 30_000 }).toBe('1');
  expect(await server.ktadmin(['db', 'stop'])).toMatchObject({ status: 0 });
  expect((await waiting).status).not.toBe(0);
  await server.ktadmin(['db', 'start']);
  expect(
    await server.query("select string_agg(relname, ' ') from pg_class where relname in ('kept', 'lost')"),
  ).toBe('kept');
});
