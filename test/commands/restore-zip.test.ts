/** The manual's pair of zip files with a password, made by Info-ZIP as the manual says. */
import { lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  configurationOf,
  foreignDump,
  hasGpg1,
  hasZip,
  ORIGINAL_PLACE,
  originalConfdir,
  plainDump,
  readable,
} from '../support/original.ts';
import { refusal, said } from '../support/refusal.ts';
import {
  checksums,
  freePort,
  kt,
  run,
  type TestServer,
  temporaryDirectory,
  testServer,
} from '../support/sandbox.ts';
import { hasTerminal, ktadminOnTerminal } from '../support/terminal.ts';

const PASSWORD = 'correct horse';

/** Both files, below a directory; the configuration is zipped from the root directory, as the manual does it. */
async function zipPair(directory: string, dump: string, confdir: string, cwd = '/') {
  const database = join(directory, 'keytrustee-db.zip');
  const config = join(directory, 'keytrustee-conf.zip');
  await rm(database, { force: true });
  await rm(config, { force: true });
  const one = await run('zip', ['-q', '-P', PASSWORD, database, '-'], { input: dump });
  const two = await run('zip', ['-q', '-r', '-P', PASSWORD, config, confdir], { cwd });
  if (one.status !== 0 || two.status !== 0) throw new Error(one.stdout + two.stdout);
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, `${PASSWORD}\n`);
  for (const path of [database, config, passwordFile]) await readable(path);
  const files = ['--database-dump', database, '--config', config];
  return { database, config, files, unattended: [...files, '--passphrase-file', passwordFile] };
}

async function filledServer(): Promise<TestServer> {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost,finn@example.com']);
  return server;
}

test.skipIf(!hasZip)(
  'a server of this program comes back from them, after it was lost (needs zip)',
  async () => {
    const server = await filledServer();
    const before = await server.orgtool(['list']);
    const scratch = await temporaryDirectory();
    const { unattended } = await zipPair(
      scratch,
      await plainDump(server, 'keytrustee', ['-c']),
      server.confdir,
    );
    await server.orgtool(['add', '-n', 'later', '-c', 'root@localhost']);
    const over = said(await server.ktadmin(['restore', ...unattended, '--unsigned', '--yes']));
    expect(over).toMatchObject({ status: 0 });
    expect(over.stderr).toMatch(
      /holds {10}7 tables, 5 rows, of this program: they become the server's database\n/,
    );
    expect(over.stdout).toMatch(
      /^Restored \S+ for \S+: 1 organization, 2 contacts, 0 clients, 0 deposits\nThe former configuration is in \S+\nThe former database is keytrustee_old_\d+\nThe restore is complete: the server's key opens, and every row is there\n$/,
    );
    expect((await server.orgtool(['list'])).stdout).toBe(before.stdout);
    expect(
      await server.query("select pg_get_userbyid(datdba) from pg_database where datname = 'keytrustee'"),
    ).toBe('keytrustee');
    const owners =
      "select distinct pg_get_userbyid(relowner) from pg_class where relnamespace = 'public'::regnamespace";
    expect(await server.query(owners)).toBe('keytrustee');
    await server.ktadmin(['db', 'stop']);
    await run('find', [server.directory, '-mindepth', '1', '-delete']);
    const fresh = said(await server.ktadmin(['restore', ...unattended, '--unsigned', '--yes', '--quiet']));
    expect(fresh).toMatchObject({ status: 0, stderr: '' });
    expect((await server.orgtool(['list'])).stdout).toBe(before.stdout);
    await server.orgtool(['add', '-n', 'later', '-c', 'root@localhost']);
    expect((await server.orgtool(['list'])).stdout).toContain('"later"');
  },
);

test.skipIf(!hasZip || !hasGpg1)('so does one of the original product (needs zip and gnupg1)', async () => {
  const scratch = await temporaryDirectory();
  const place = `${ORIGINAL_PLACE}/.keytrustee`;
  await originalConfdir(join(scratch, place));
  const { unattended } = await zipPair(scratch, await foreignDump(['-c']), place, scratch);
  const directory = await temporaryDirectory();
  const confdir = join(directory, '.keytrustee');
  const port = ['--database-port', String(await freePort())];
  const args = ['restore', ...unattended, '--confdir', confdir, ...port, '--unsigned', '--yes', '--quiet'];
  const restored = said(await kt('ktadmin', args));
  const dump = join(directory, 'keytrustee-db.sql');
  expect(restored).toMatchObject({ status: 0, stderr: '' });
  expect(restored.stdout).toContain(
    `The dump is ${dump}; to load it into a database of its own:\n` +
      "  ktadmin db psql -- -d postgres -c 'create database keytrustee_original'\n" +
      `  ktadmin db psql -- -X -d keytrustee_original -f ${dump}\n`,
  );
  expect(await readFile(dump, 'utf8')).toBe(await foreignDump(['-c']));
  expect((await lstat(dump)).mode & 0o7777).toBe(0o600);
  // Zip files have no host in their name; the certificate has.
  expect((await configurationOf(confdir)).EXTERNAL_ADDRESS).toBe('kts07.example.com');
});

test.skipIf(!hasZip)(
  'passwords: none, a wrong one, and one of the two options alone (needs zip)',
  async () => {
    const server = await filledServer();
    const scratch = await temporaryDirectory();
    const pair = await zipPair(scratch, await plainDump(server, 'keytrustee', ['-c']), server.confdir);
    const wrong = join(scratch, 'wrong');
    await writeFile(wrong, 'battery staple\n');
    await readable(wrong);
    const before = [await checksums(server.confdir), await readdir(server.directory)];
    const call = async (args: string[]) =>
      said(await server.ktadmin(['restore', ...args, '--unsigned', '--yes']));
    expect(await call(pair.files)).toEqual(
      refusal(
        8,
        `${pair.config} has a password, and none was given`,
        'run it on a terminal, or give --passphrase-file F',
      ),
    );
    expect(await call([...pair.files, '--passphrase-file', wrong])).toEqual(
      refusal(8, `${pair.config}: wrong password, or the file is damaged`),
    );
    for (const args of [pair.files.slice(0, 2), pair.files.slice(2), [...pair.files, 'a.tar']])
      expect(await call(args)).toEqual(
        refusal(
          2,
          '--database-dump and --config are given together, and without another set or --only',
          "a server's keys and its database belong to each other",
        ),
      );
    const refused = said(await server.ktadmin(['restore', ...pair.unattended, '--yes', '--quiet']));
    expect(refused).toEqual(
      refusal(
        8,
        'nobody signed this set: whoever could write it may have changed anything in it, the keys among it',
        'if you know where it comes from, add --unsigned',
      ),
    );
    const bytes = await readFile(pair.database);
    await writeFile(pair.database, bytes.subarray(0, bytes.length - 30));
    expect(await call(pair.unattended)).toEqual(
      refusal(8, `${pair.database} is damaged: end of central directory not found`, 'use another file'),
    );
    expect([await checksums(server.confdir), await readdir(server.directory)]).toEqual(before);
  },
);

test.skipIf(!hasZip || !hasTerminal)(
  'on a terminal both passwords are asked for and not shown (needs zip)',
  async () => {
    const server = await filledServer();
    const scratch = await temporaryDirectory();
    const pair = await zipPair(scratch, await plainDump(server, 'keytrustee', ['-c']), server.confdir);
    const screen = await ktadminOnTerminal(server, ['restore', ...pair.files, '--unsigned'], {
      typing: [
        [`Password of ${pair.config}`, `${PASSWORD}\r`],
        [`Password of ${pair.database}`, `${PASSWORD}\r`],
        ['Replace what is there?', 'y\r'],
      ],
    });
    expect(screen.text).toContain(`Restored ${server.confdir}`);
    expect(screen.text).not.toContain(PASSWORD);
    expect(screen.status).toBe(0);
  },
);

test.skipIf(!hasZip)(
  'tables that only have the names of this program’s are not let in (needs zip)',
  async () => {
    const server = await filledServer();
    const scratch = await temporaryDirectory();
    const dump = await plainDump(server, 'keytrustee', ['-c']);
    const before = await server.orgtool(['list']);
    const at = dump.lastIndexOf('--\n-- PostgreSQL database dump complete');
    const trap =
      'create function public.trap() returns trigger language plpgsql as $$ begin return null; end $$;\n' +
      'create trigger trap before insert on public.deposit for each row execute function public.trap();\n';
    const setting = `alter database %I set search_path = 'elsewhere'`;
    const silent = `do $$ begin execute format($f$${setting}$f$, current_database()); end $$;\n`;
    const bad = await zipPair(scratch, dump.slice(0, at) + trap + dump.slice(at), server.confdir);
    const databases = "select string_agg(datname, ' ' order by datname) from pg_database";
    const names = await server.query(databases);
    expect(
      said(await server.ktadmin(['restore', ...bad.unattended, '--unsigned', '--yes', '--quiet'])),
    ).toEqual(
      refusal(
        8,
        "the dump's tables have the names of this program's, and are others",
        'was it made by a newer version, or changed?',
      ),
    );
    expect(await server.query(databases)).toBe(names);
    expect((await server.orgtool(['list'])).stdout).toBe(before.stdout);
    const odd = await zipPair(scratch, dump.slice(0, at) + silent + dump.slice(at), server.confdir);
    const taken = said(
      await server.ktadmin(['restore', ...odd.unattended, '--unsigned', '--yes', '--quiet']),
    );
    expect(taken).toMatchObject({ status: 0, stderr: '' });
    expect(await server.query('select count(*) from pg_db_role_setting')).toBe('0');
    expect((await server.orgtool(['list'])).stdout).toBe(before.stdout);
  },
);
