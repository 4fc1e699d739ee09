/** `ktadmin db start`: a server that answers, or a reason. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';

import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { smallDisk } from '../../support/disk.ts';
import { bindirWith, occupyPort, postmaster } from '../../support/postgres.ts';
import { allEnded, descendants, isAlive, processesAt } from '../../support/processes.ts';
import { refusal, said } from '../../support/refusal.ts';
import {
  asAccount,
  freePort,
  isRoot,
  kt,
  replaceIn,
  run,
  testServer,
  until,
  withoutDrop,
  world,
} from '../../support/sandbox.ts';

test('the flag forms of the original start and stop the cluster that they name', async () => {
  const { confdir, pgRootdir, port } = await testServer({ start: false });
  const place = ['--pg-rootdir', pgRootdir];
  const started = await kt('ktadmin', ['--confdir', confdir, 'db', '--start', ...place, '--background']);
  expect(said(started)).toEqual({ status: 0, stdout: '', stderr: `PostgreSQL runs on port ${port}\n` });
  expect(said(await kt('ktadmin', ['db', '--status', ...place]))).toMatchObject({ status: 0 });
  const stopped = await kt('ktadmin', ['db', '--stop', ...place]);
  expect(said(stopped)).toEqual({ status: 0, stdout: '', stderr: 'PostgreSQL has stopped\n' });
  await allEnded(pgRootdir);
});

test('start twice and stop twice are no errors', async () => {
  const { ktadmin, port, pgRootdir } = await testServer({ start: false });
  expect(said(await ktadmin(['db', 'start'])).stderr).toBe(`PostgreSQL runs on port ${port}\n`);
  const pid = await postmaster({ pgRootdir });
  expect(said(await ktadmin(['db', 'start']))).toEqual({
    status: 0,
    stdout: '',
    stderr: `PostgreSQL was running already on port ${port}\n`,
  });
  expect(await postmaster({ pgRootdir })).toBe(pid);
  expect(said(await ktadmin(['db', 'stop']))).toEqual({
    status: 0,
    stdout: '',
    stderr: 'PostgreSQL has stopped\n',
  });
  expect(said(await ktadmin(['db', 'stop']))).toEqual({
    status: 0,
    stdout: '',
    stderr: 'PostgreSQL was not running\n',
  });
  expect(await isAlive(pid)).toBe(false);
});

test('defect: start waited five minutes where DB_PORT was changed after init', async () => {
  const server = await testServer({ start: false });
  const port = await freePort();
  await replaceIn(join(server.confdir, 'keytrustee.conf'), [[`${server.port}`, `${port}`]]);
  expect(said(await server.ktadmin(['db', 'start'])).stderr).toBe(`PostgreSQL runs on port ${port}\n`);
  server.port = port;
  expect(await server.query('show port')).toBe(`${port}`);
});

test('start --json says what happened, and --quiet says nothing', async () => {
  const { ktadmin, port } = await testServer({ start: false });
  const started = await ktadmin(['db', 'start', '--json', '--quiet']);
  expect(started.stderr).toBe('');
  expect(JSON.parse(started.stdout)).toEqual({ running: true, started: true, port, migrations: [] });
  expect(await ktadmin(['db', 'start', '--quiet'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

test('the cluster has data checksums, UTF-8, and settings that keep values out of its log', async () => {
  const server = await testServer();
  const names = [
    'data_checksums',
    'server_encoding',
    'listen_addresses',
    'log_parameter_max_length',
    'log_error_verbosity',
  ];
  const shown = await server.query(names.map((name) => `show ${name}`).join('; '));
  expect(shown.split('\n')).toEqual(['on', 'UTF8', '*', '0', 'terse']);
});

test('the port lets in the certificate of the pair alone, and that to nothing of this server', async () => {
  const server = await testServer();
  const files = join(server.pgRootdir, 'replication');
  const own = `sslcert=${files}/certificate.pem sslkey=${files}/key.pem`;
  const connected = async (words: string) => {
    const where = `host=127.0.0.1 port=${server.port} ${words}`;
    const answer = await asAccount('psql', ['-w', '-X', '-Atc', 'select 1', where]);
    return answer.status === 0
      ? answer.stdout
      : (/FATAL: +([^,\n]*)/.exec(answer.stderr)?.[1] ?? answer.stderr);
  };
  const role = 'dbname=postgres user=keytrustee_ha';
  expect(await connected(`${role} sslmode=require ${own}`)).toBe('1\n');
  expect(await connected(`${role} sslmode=disable`)).toMatch(/^no pg_hba.conf entry for host/);
  expect(await connected(`${role} sslmode=require sslcert=/none`)).toBe(
    'connection requires a valid client certificate',
  );
  const others = ['dbname=keytrustee user=keytrustee_ha', 'dbname=postgres user=keytrustee'];
  for (const other of others)
    expect(await connected(`${other} sslmode=require ${own}`)).toMatch(/^no pg_hba.conf entry for host/);
});

test('the socket is closed to others', async () => {
  const server = await testServer();
  expect((await stat(join(server.pgRootdir, 'run'))).mode & 0o7777).toBe(0o700);
  const socket = await stat(join(server.pgRootdir, 'run', `.s.PGSQL.${server.port}`));
  expect(socket.isSocket()).toBe(true);
  expect(socket.mode & 0o777).toBe(0o700);
});

test.skipIf(!isRoot)('another account cannot connect, even where it can reach the socket', async () => {
  const server = await testServer();
  const directory = join(server.pgRootdir, 'run');
  const psql = ['psql', '-h', directory, '-p', String(server.port), '-U', 'keytrustee', '-Atc', 'select 1'];
  const asNobody = ['--reuid=nobody', '--regid=nogroup', '--clear-groups'];
  const stranger = await run('setpriv', [...asNobody, ...psql]);
  expect(stranger).toMatchObject({ status: 2, stdout: '' });
  expect(stranger.stderr).toContain('Permission denied');
  // Root can reach every socket; peer authentication is what stops it.
  const root = await run(psql[0] ?? '', psql.slice(1));
  expect(root).toMatchObject({ status: 2, stdout: '' });
  expect(root.stderr).toContain('Peer authentication failed for user "keytrustee"');
  expect(await asAccount(psql[0] ?? '', psql.slice(1))).toMatchObject({ status: 0, stdout: '1\n' });
});

test('after kill -9 of the postmaster alone, start waits its children out and recovers', async () => {
  const server = await testServer();
  await server.query('create table kept (); checkpoint; create table too ()');
  process.kill(await postmaster(server), 'SIGKILL');
  expect(await server.ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
  expect(await server.query("select count(*) from pg_class where relname in ('kept', 'too')")).toBe('2');
});

test('after kill -9 of all its processes, start copes with the stale pid file', async () => {
  const server = await testServer();
  const pid = await postmaster(server);
  const all = [pid, ...(await descendants(pid)).map((child) => child.pid)];
  expect(all.length).toBeGreaterThan(3);
  for (const one of all) process.kill(one, 'SIGKILL');
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 3 });
  expect(await server.ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
  expect(await server.query('select 1')).toBe('1');
});

/** A process of the service account whose words look like PostgreSQL's. */
async function impostor(): Promise<number> {
  let pid = 0;
  const running = asAccount('bash', ['-c', 'exec -a postgres sleep 1000'], {
    started: (child) => (pid = child.pid),
  });
  onTestFinished(async () => {
    process.kill(pid, 'SIGKILL');
    await running;
  });
  await until(
    async () => (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === 'sleep',
    'it sleeps',
  );
  return pid;
}

test('a pid file that names another process of the account: start says so, stop leaves that process alone', async () => {
  const server = await testServer({ start: false });
  const pid = await impostor();
  const file = join(server.pgRootdir, 'data/postmaster.pid');
  const lines = [pid, join(server.pgRootdir, 'data'), 1, server.port, join(server.pgRootdir, 'run'), '', ''];
  await writeFile(file, `${lines.join('\n')}\n`);
  if (isRoot) await run('chown', [world.account.name, file]);
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 3 });
  expect(said(await server.ktadmin(['db', 'stop']))).toEqual({
    status: 0,
    stdout: '',
    stderr: 'PostgreSQL was not running\n',
  });
  expect(said(await server.ktadmin(['db', 'start']))).toEqual(
    refusal(
      3,
      `${file} names process ${pid} (sleep), which is not its server`,
      `a server that was killed left it; make sure that none uses ${server.pgRootdir}/data, then: rm ${file}`,
    ),
  );
  expect(await isAlive(pid)).toBe(true);
  await rm(file);
  expect(await server.ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
});

test('a pid file that names a process of another account is stale', async () => {
  const server = await testServer({ start: false });
  const file = join(server.pgRootdir, 'data/postmaster.pid');
  await writeFile(file, `1\n${server.pgRootdir}/data\n1\n${server.port}\n${server.pgRootdir}/run\n\n\n`);
  if (isRoot) await run('chown', [world.account.name, file]);
  expect(await server.ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
  expect(await server.query('select 1')).toBe('1');
});

test('a port that another server holds is a conflict', async () => {
  const { ktadmin, port, pgRootdir } = await testServer({ start: false });
  await occupyPort(port);
  expect(said(await ktadmin(['db', 'start']))).toEqual(
    refusal(
      6,
      `port ${port} is held by another server`,
      `stop that server (ss -ltnp 'sport = :${port}' names it), or choose another port`,
    ),
  );
  await allEnded(pgRootdir);
});

test('a data directory of another major version is refused, with what to install', async () => {
  const { ktadmin, pgRootdir } = await testServer({ start: false });
  const file = join(pgRootdir, 'data/PG_VERSION');
  const major = (await readFile(file, 'utf8')).trim();
  await writeFile(file, '99\n');
  const refused = said(await ktadmin(['db', 'start']));
  expect({
    ...refused,
    stderr: refused.stderr.replace(/this machine has [\d, ]+\n/, 'this machine has N\n'),
  }).toEqual(
    refusal(
      3,
      'the data directory was made by PostgreSQL 99, and this machine has N',
      'install PostgreSQL 99 beside it (for example: apt-get install postgresql-99), or set PG_BINDIR',
    ),
  );
  expect(refused.stderr).toContain(major);
});

test('a data directory of a PostgreSQL before 13 is refused as too old', async () => {
  const { ktadmin, pgRootdir } = await testServer({ start: false });
  await writeFile(join(pgRootdir, 'data/PG_VERSION'), '9.6\n');
  expect(said(await ktadmin(['db', 'start']))).toEqual(
    refusal(
      3,
      'the data directory was made by PostgreSQL 9, which is too old: 13 or later is needed',
      'install PostgreSQL 13 or later, or set PG_BINDIR',
    ),
  );
});

test('a PG_BINDIR without PostgreSQL is named', async () => {
  const { ktadmin, directory } = await testServer({ start: false });
  expect(said(await ktadmin(['db', 'start'], { env: { PG_BINDIR: directory } }))).toEqual(
    refusal(
      5,
      `PG_BINDIR is ${directory}, which lacks working programs postgres, initdb, pg_ctl, psql, pg_dump`,
      'correct PG_BINDIR, or unset it',
    ),
  );
});

test('a PG_BINDIR whose programs do not run is named', async () => {
  const server = await testServer({ start: false });
  const directory = await bindirWith('no program\n');
  expect(said(await server.ktadmin(['db', 'start'], { env: { PG_BINDIR: directory } }))).toEqual(
    refusal(
      5,
      `PG_BINDIR is ${directory}, which lacks working programs postgres, initdb, pg_ctl, psql, pg_dump`,
      'correct PG_BINDIR, or unset it',
    ),
  );
});

test('PostgreSQL 12 is too old, whether it is to run a cluster or to make one', async () => {
  const server = await testServer({ start: false });
  const directory = await bindirWith('#!/bin/sh\necho "postgres (PostgreSQL) 12.22"\n');
  const env = { PG_BINDIR: directory };
  const major = (await readFile(join(server.pgRootdir, 'data/PG_VERSION'), 'utf8')).trim();
  expect(said(await server.ktadmin(['db', 'start'], { env }))).toEqual(
    refusal(
      3,
      `the data directory was made by PostgreSQL ${major}, and this machine has 12`,
      `install PostgreSQL ${major} beside it (for example: apt-get install postgresql-${major}), or set PG_BINDIR`,
    ),
  );
  await rm(server.pgRootdir, { recursive: true });
  expect(said(await server.ktadmin(['init'], { env }))).toEqual(
    refusal(
      3,
      'this machine has PostgreSQL 12, which is too old: 13 or later is needed',
      'install PostgreSQL 13 or later, or set PG_BINDIR',
    ),
  );
});

test('a cluster whose data directory is gone: start, stop and status say what makes it', async () => {
  const { ktadmin, pgRootdir } = await testServer({ start: false });
  await rm(join(pgRootdir, 'data'), { recursive: true });
  const expected = refusal(
    3,
    `${pgRootdir} holds no PostgreSQL cluster`,
    'ktadmin restore FILE brings a lost database back; ktadmin init makes an empty one',
  );
  expect(said(await ktadmin(['db', 'start']))).toEqual(expected);
  expect(said(await ktadmin(['db', 'status']))).toEqual(expected);
  expect(await ktadmin(['init'])).toMatchObject({ status: 0 });
  expect(await ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
});

test('a --pg-rootdir that does not exist is named, with the command that makes it', async () => {
  const { ktadmin, directory } = await testServer({ start: false });
  const place = join(directory, 'nosuch');
  expect(said(await ktadmin(['db', 'start', '--pg-rootdir', place]))).toEqual(
    refusal(3, `${place} does not exist`, `ktadmin init --pg-rootdir ${place}`),
  );
});

test('starts side by side agree on one server, and one of them applies the migrations', async () => {
  const server = await testServer({ start: false });
  await rm(server.pgRootdir, { recursive: true });
  expect(await server.ktadmin(['init'])).toMatchObject({ status: 0 });
  const outcomes = await Promise.all(
    [1, 2, 3, 4].map(() => server.ktadmin(['db', 'start', '--json', '--quiet'])),
  );
  const results = outcomes.map(({ status, stdout, stderr }) => {
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/"running": true/) as string,
      stderr: '',
    });
    return JSON.parse(stdout) as { started: boolean; migrations: string[] };
  });
  expect(results.filter(({ started }) => started)).toHaveLength(1);
  expect(results.flatMap(({ migrations }) => migrations)).toEqual(['0001-initial', '0002-server']);
  expect(await server.query('select count(*) from schema_migration')).toBe('2');
  const servers = (await processesAt(server.pgRootdir)).filter((line) => / -D /.test(line));
  expect(servers).toHaveLength(1);
});

test('a database that was dropped is made anew', async () => {
  const server = await testServer();
  const drop = ['db', 'psql', '--', '-X', '-d', 'postgres', '-c', 'drop database keytrustee'];
  expect(await server.ktadmin(drop)).toMatchObject({ status: 0 });
  expect(withoutDrop((await server.ktadmin(['db', 'start'])).stderr)).toBe(
    `applied migration 0001-initial\napplied migration 0002-server\nPostgreSQL was running already on port ${server.port}\n`,
  );
});

test('a database of a newer version is left alone, and a server that was started for it is stopped', async () => {
  const server = await testServer();
  await server.query("insert into schema_migration (name, run_on) values ('0099-later', now())");
  const expected = refusal(
    3,
    'the database was made by a newer version of ktadmin (0099-later)',
    'install that version',
  );
  expect(said(await server.ktadmin(['db', 'restart']))).toEqual(expected);
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 0 });
  expect(said(await server.ktadmin(['db', 'start']))).toEqual(expected);
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 0 });
  await server.ktadmin(['db', 'stop']);
  expect(said(await server.ktadmin(['db', 'start']))).toEqual(expected);
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 3 });
  await allEnded(server.pgRootdir);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s during start ends it, and no server is left', async (signal, status) => {
  const server = await testServer({ start: false });
  const slow = '#!/bin/sh\n[ "$1" = --version ] && exec REAL "$@"\nwhile sleep 0.05; do :; done\n';
  const directory = await bindirWith(slow);
  let pid = 0;
  let kill = (_: NodeJS.Signals) => false;
  const running = server.ktadmin(['db', 'start'], {
    env: { PG_BINDIR: directory },
    started: (child) => ({ pid, kill } = child),
  });
  const starting = async () => (await descendants(pid)).some(({ words }) => words.includes('-D'));
  await until(starting, 'PostgreSQL is being started');
  kill(signal);
  expect(said(await running)).toEqual(refusal(status, `interrupted by ${signal}`));
  await allEnded(server.pgRootdir);
  expect(await server.ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
});

test('a setting that PostgreSQL does not take is shown in its own words', async () => {
  const { ktadmin, pgRootdir } = await testServer({ start: false });
  const conf = join(pgRootdir, 'postgresql.conf');
  await writeFile(conf, `${await readFile(conf, 'utf8')}shared_buffers = 'much'\n`);
  const refused = said(await ktadmin(['db', 'start']));
  expect(refused).toEqual(
    refusal(
      1,
      `PostgreSQL did not start:\n  LOG:  invalid value for parameter "shared_buffers": "much"\n  FATAL:  configuration file "${conf}" contains errors`,
      `the server's log is in ${pgRootdir}/log`,
    ),
  );
  await allEnded(pgRootdir);
});

test('what stops PostgreSQL after its log has begun is shown from that log', async () => {
  const { ktadmin, pgRootdir } = await testServer({ start: false });
  await rm(join(pgRootdir, 'data/pg_wal'), { recursive: true });
  const refused = said(await ktadmin(['db', 'start']));
  expect(refused).toEqual(
    refusal(
      1,
      'PostgreSQL did not start:\n  FATAL:  required WAL directory "pg_wal" does not exist',
      `the server's log is in ${pgRootdir}/log`,
    ),
  );
});

test.skipIf(!isRoot)('on a full disk start says so, and works once there is space', async () => {
  const disk = await smallDisk('150m');
  const template = join(world.directory, 'template');
  expect(await run('cp', ['-a', join(template, 'db'), disk.directory])).toMatchObject({ status: 0 });
  const pgRootdir = join(disk.directory, 'db');
  await disk.fill();
  const start = () => kt('ktadmin', ['db', 'start', '--pg-rootdir', pgRootdir]);
  expect(said(await start())).toEqual(
    refusal(
      1,
      'PostgreSQL did not start: no space left on device',
      'free some space and run the command again',
    ),
  );
  await allEnded(pgRootdir);
  await disk.free();
  expect(await start()).toMatchObject({ status: 0 });
  expect(await kt('ktadmin', ['db', 'stop', '--pg-rootdir', pgRootdir])).toMatchObject({ status: 0 });
});

test('PostgreSQL’s log holds no authorization code, even of a row that it refuses', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const secret = 'ThisISAs3cr3t!';
  expect(await server.orgtool(['set-auth', '-n', 'prod', '-s', secret])).toMatchObject({ status: 0 });
  expect(await server.query('select auth_secret from organization')).toBe(secret);
  await expect(server.query('update organization set state = 7')).rejects.toThrow(
    'violates check constraint',
  );
  await server.ktadmin(['db', 'stop']);
  const log = await run('sh', ['-c', 'cat "$1"/*', 'sh', join(server.pgRootdir, 'log')]);
  expect(log.stdout).toContain('violates check constraint');
  expect(log.stdout).not.toContain(secret);
});
