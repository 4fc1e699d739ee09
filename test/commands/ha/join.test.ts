/** `ktadmin ha join` and `ktadmin ha sync`: two servers become a pair by the documented commands. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { endForeground, takeOver } from '../../support/foreground.ts';
import { must, sharedPair } from '../../support/pair.ts';
import { type Outcome, run, testServer, withoutDrop } from '../../support/sandbox.ts';

const pair = sharedPair('joined');

beforeAll(async () => {
  await must(pair.active.orgtool(['add', '-n', 'first', '-c', 'root@localhost']));
});

const names = (server: { query(sql: string): Promise<string> }) =>
  server.query("select string_agg(name, ' ' order by name) from organization");

const joining = (ends: Outcome) => ({
  status: ends.status,
  stdout: ends.stdout,
  stderr: withoutDrop(ends.stderr),
});

const told = (message: string, hint: string) => `ktadmin: error: ${message}\nktadmin: hint: ${hint}\n`;

test('a second join says the same, and copies nothing', async () => {
  const { active, passive } = pair;
  const again = await passive.ktadmin(['ha', 'join', '--active', `localhost:${active.port}`]);
  expect(joining(again)).toEqual({
    status: 0,
    stdout: 'passive: follows localhost\n',
    stderr: 'next, on localhost: ktadmin ha sync on\n',
  });
  expect((await readdir(passive.pgRootdir)).filter((name) => name.startsWith('data'))).toEqual(['data']);
});

test('no password lies anywhere: the certificates of the pair are all', async () => {
  const { passive } = pair;
  const text = await readFile(join(passive.pgRootdir, 'replication.conf'), 'utf8');
  expect(text).toMatch(/^primary_conninfo = .*sslmode=''verify-full''/m);
  expect(text).not.toMatch(/password/i);
});

test('sync on: what is written is on the passive when the command has ended; sync off ends that', async () => {
  const { active, passive } = pair;
  const on = await active.ktadmin(['ha', 'sync', 'on']);
  const waits = 'synchronous: a change counts once localhost has applied it';
  expect(joining(on)).toEqual({ status: 0, stdout: `${waits}\n`, stderr: '' });
  expect(joining(await active.ktadmin(['ha', 'sync', 'on'])).stdout).toBe(`${waits} (it was so already)\n`);
  for (let round = 0; round < 5; round += 1) {
    await must(active.orgtool(['add', '-n', `round-${round}`, '-c', 'root@localhost']));
    expect(await names(passive)).toContain(`round-${round}`);
  }
  const off = joining(await active.ktadmin(['ha', 'sync', 'off']));
  expect(off.stdout).toBe('not synchronous: changes count with this server alone\n');
  expect(off.stderr).toBe(
    'ktadmin: warning: what is written now is lost with this server; ktadmin ha sync on ends that\n',
  );
  expect(await active.query('show synchronous_standby_names')).toBe('');
});

test('the passive server refuses to be what it is not', async () => {
  const { active, passive } = pair;
  expect(joining(await passive.ktadmin(['ha', 'sync', 'on']))).toEqual({
    ...{ status: 3, stdout: '' },
    stderr: told('this is the passive server', 'on localhost: ktadmin ha sync on'),
  });
  expect(
    joining(await active.ktadmin(['ha', 'join', '--active', `localhost:${passive.port}`])),
  ).toMatchObject({
    ...{ status: 3, stdout: '' },
  });
  expect((await active.ktadmin(['ha', 'sync', 'perhaps'])).status).toBe(2);
});

test('a server that runs nowhere is told of; nothing is changed', async () => {
  const { passive, node } = pair;
  const before = await node(passive);
  const refused = joining(await passive.ktadmin(['ha', 'join', '--active', 'localhost:1']));
  expect(refused.status).toBe(7);
  expect(refused.stderr).toBe(
    told(
      'PostgreSQL of localhost (port 1) does not answer (ECONNREFUSED)',
      'on localhost: ktadmin db status; older servers need ktadmin init and ktadmin db restart once',
    ),
  );
  expect(await node(passive)).toEqual(before);
});

test('this server itself, also where its database does not run, and a name that nobody knows are told as such', async () => {
  const { passive } = pair;
  const alone = await testServer({ start: false });
  for (const server of [passive, alone]) {
    const itself = joining(await server.ktadmin(['ha', 'join', '--active', `LocalHost:${server.port}`]));
    const hint = 'name the active server, and run it on the passive one';
    expect(itself).toEqual({ status: 2, stdout: '', stderr: told('LocalHost is this server', hint) });
  }
  // No resolver asks anybody for such a name: this test needs no DNS.
  const name = `${'a'.repeat(64)}.example`;
  expect(joining(await passive.ktadmin(['ha', 'join', '--active', `${name}:1`]))).toEqual({
    ...{ status: 7, stdout: '' },
    stderr: told(
      `the name ${name} is not known here`,
      'is it spelled right? DNS, or /etc/hosts of this server, has to know it',
    ),
  });
});

test('the passive server starts while the active one is away, serves what it has, and catches up', async () => {
  const { active, passive } = pair;
  await must(active.ktadmin(['db', 'stop']));
  await must(passive.ktadmin(['db', 'restart']));
  expect(await names(passive)).toContain('first');
  await must(active.ktadmin(['db', 'start']));
  await must(active.orgtool(['add', '-n', 'later', '-c', 'root@localhost']));
  await must(active.ktadmin(['ha', 'sync', 'on']));
  expect(await names(passive)).toContain('later');
  await must(active.ktadmin(['ha', 'sync', 'off']));
});

test('a server with organizations of its own is not overwritten, unless somebody says so; then they are kept', async () => {
  const { active, passive } = pair;
  await must(passive.ktadmin(['db', 'stop']));
  const own = await testServer();
  await must(own.orgtool(['add', '-n', 'own', '-c', 'root@localhost']));
  for (const name of ['.replication', 'keytrustee.conf']) {
    if (name === '.replication')
      await run('rsync', ['-a', '--delete', `${active.confdir}/${name}/`, `${own.confdir}/${name}`]);
  }
  await rm(join(own.pgRootdir, 'replication'), { recursive: true });
  await must(own.ktadmin(['init']));
  await must(own.ktadmin(['db', 'restart']));
  const words = ['ha', 'join', '--active', `localhost:${active.port}`];
  expect(joining(await own.ktadmin(words))).toEqual({
    ...{ status: 6, stdout: '' },
    stderr: told(
      'this server has 1 organization of its own',
      "is it the right host? --replace-data takes the active server's data instead, and keeps these beside it",
    ),
  });
  expect(await names(own)).toBe('own');
  const keeper = await takeOver(own);
  const joined = joining(await own.ktadmin([...words, '--replace-data']));
  expect(joined.status).toBe(0);
  const kept = (await readdir(own.pgRootdir)).filter((name) => name.startsWith('data.before-'));
  expect(joined.stderr).toContain(`what was here is kept in ${join(own.pgRootdir, kept[0] ?? '')}\n`);
  expect(await names(own)).toContain('first');
  // Who keeps PostgreSQL in the foreground goes on with the one that was joined.
  await endForeground(own, keeper);
  await must(passive.ktadmin(['db', 'start']));
});

test('a server of another OpenPGP key is refused', async () => {
  const { active, passive } = pair;
  const path = join(passive.confdir, 'keytrustee.conf');
  const text = await readFile(path, 'utf8');
  const other = `4096R/${'0123456789ABCDEF'.repeat(3).slice(0, 40)}`;
  await writeFile(path, text.replace(active.fingerprint, other));
  try {
    const refused = joining(await passive.ktadmin(['ha', 'join', '--active', `localhost:${active.port}`]));
    expect(refused).toEqual({
      ...{ status: 6, stdout: '' },
      stderr: told(
        `the OpenPGP keys differ: localhost has ${active.fingerprint}, this server ${other}`,
        'copy the configuration directory of localhost without .ssl, as ktadmin-ha(8) has it, and run ktadmin init again',
      ),
    });
  } finally {
    await writeFile(path, text);
  }
});

test('a server whose pair has another authority is not talked to', async () => {
  const { active } = pair;
  const stranger = await testServer({ start: false });
  await rm(join(stranger.confdir, '.replication'), { recursive: true });
  await must(stranger.ktadmin(['init']));
  const refused = joining(await stranger.ktadmin(['ha', 'join', '--active', `localhost:${active.port}`]));
  expect(refused.status).toBe(8);
  expect(refused.stderr).toMatch(
    /^ktadmin: error: PostgreSQL of localhost \(port \d+\) and this server do not trust each other's certificates: /,
  );
});
