/** Sets of the original product: what can be known of them, and how they come back. */
import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UNSIGNED_STEPS } from '../../src/lib/backups/steps.ts';
import { someOf } from '../support/long.ts';
import { configurationOf, foreignDump, hasGpg1, ORIGINAL_PLACE, originalSet } from '../support/original.ts';
import { said } from '../support/refusal.ts';
import {
  asAccount,
  checksums,
  freePort,
  kt,
  run,
  temporaryDirectory,
  testServer,
  world,
} from '../support/sandbox.ts';

const STEM = 'kts_bak_kts07_example_com_2016-02-10_11-14-37';

/** Makes the set anew from what lies below a directory. */
async function pack(set: string, root: string, tarArgs: string[] = []): Promise<void> {
  const names = await readdir(join(root, ORIGINAL_PLACE));
  const members = names.toSorted().map((name) => `${ORIGINAL_PLACE}/${name}`);
  const done = await run('tar', ['-cf', set, ...tarArgs, '-C', root, ...members]);
  if (done.status !== 0) throw new Error(done.stderr);
}

/** A place without a server, and how a set is restored there. */
async function emptyPlace() {
  const directory = await temporaryDirectory();
  const confdir = join(directory, '.keytrustee');
  const port = await freePort();
  const restore = async (set: string, ...args: string[]) =>
    said(
      await kt('ktadmin', ['restore', set, '--confdir', confdir, '--database-port', String(port), ...args]),
    );
  const query = async (sql: string, database = 'keytrustee') => {
    const answer = await kt('ktadmin', [
      ...['db', 'psql', '--confdir', confdir, '--', '-X', '-A', '-t', '-d', database, '-c', sql],
    ]);
    if (answer.status !== 0) throw new Error(answer.stderr);
    return answer.stdout.trim();
  };
  return { directory, confdir, port, restore, query };
}

test.skipIf(!hasGpg1)(
  'the configuration comes back with its keys in the new form, and the dump is left to be loaded (needs gnupg1)',
  async () => {
    const { set, confdir: original } = await originalSet(await temporaryDirectory(), {
      dump: await foreignDump(),
    });
    const place = await emptyPlace();
    const dump = join(place.directory, `${STEM}.sql`);
    const restored = await place.restore(set, '--unsigned', '--yes');
    expect(restored).toEqual({
      status: 0,
      stdout:
        `Restored ${place.confdir} for ${original.fingerprint}: 0 organizations, 0 contacts, 0 clients, 0 deposits\n` +
        `The dump is ${dump}; to load it into a database of its own:\n` +
        "  ktadmin db psql -- -d postgres -c 'create database keytrustee_original'\n" +
        `  ktadmin db psql -- -X -v ON_ERROR_STOP=1 -1 -d keytrustee_original -f ${dump}\n`,
      stderr:
        `set of kts07.example.com, ${original.fingerprint}, without a signature\n` +
        '  archive        ok (from its first block to its last)\n' +
        '  manifest       not checked: there is none: nobody signed this set, and it has no list of digests\n' +
        `  members        ok (13; the secret key of ${original.fingerprint} is among them; certificate and private key belong together)\n` +
        '  dump           ok (complete: 2 org, 50 vault_item; how many there were is not said)\n' +
        `  holds          2 tables, 52 rows, of another program: kept as ${dump}; the server's own database will be empty\n` +
        `  configuration  ${place.confdir} will be made\n` +
        '  keys           will be brought from the form of GnuPG 1.x into that of 2.1\n' +
        `  database       ${place.directory}/db will be made\n`,
    });
    const keys = await asAccount('gpg', [
      ...['--homedir', place.confdir, '--batch', '--with-colons', '--list-keys'],
    ]);
    for (const key of original.keys) expect(keys.stdout).toContain(`:${key}:`);
    await asAccount('gpgconf', ['--homedir', place.confdir, '--kill', 'all']);
    expect(await configurationOf(place.confdir)).toEqual({
      LOCAL_FINGERPRINT: original.fingerprint,
      SSL_CERTIFICATE: `${place.confdir}/.ssl/ssl-cert-keytrustee.pem`,
      SSL_PRIVATE_KEY: `${place.confdir}/.ssl/ssl-cert-keytrustee-pk.pem`,
      MAIL_FROM: 'keytrustee@kts07.example.com',
      SOMETHING_ELSE: { deep: [1, 2] },
      EXTERNAL_ADDRESS: 'kts07.example.com',
      PORT: 11371,
      DB_PORT: place.port,
      PG_ROOTDIR: join(place.directory, 'db'),
    });
    for (const name of ['secring.gpg', 'pubring.gpg', 'trustdb.gpg'])
      expect(await readFile(join(place.confdir, 'gnupg-1.x', name))).toEqual(
        await readFile(join(original.path, name)),
      );
    for (const entry of await readdir(place.confdir, { recursive: true, withFileTypes: true })) {
      if (entry.isSocket()) continue;
      const { mode, uid } = await lstat(join(entry.parentPath, entry.name));
      expect([entry.name, mode & 0o7777, uid]).toEqual([
        entry.name,
        entry.isDirectory() ? 0o700 : 0o600,
        world.account.uid,
      ]);
    }
    expect((await lstat(dump)).mode & 0o7777).toBe(0o600);
    const check = await kt('ktadmin', ['config', 'check', '--confdir', place.confdir]);
    expect([check.status, check.stdout]).toEqual([0, expect.any(String)]);
    // The lines that were printed do what they say.
    for (const line of restored.stdout.split('\n').filter((text) => text.startsWith('  '))) {
      const loaded = await run('sh', ['-c', line], { env: { KEYTRUSTEE_CONFDIR: place.confdir } });
      expect(loaded.status, loaded.stderr).toBe(0);
    }
    expect(await place.query('select count(*) from vault_item', 'keytrustee_original')).toBe('50');
    expect((await kt('keytrustee-orgtool', ['list', '--confdir', place.confdir])).stdout).toBe('{}\n');
    const output = join(place.directory, 'backups');
    await asAccount('mkdir', ['-m', '700', output]);
    const backup = await kt('ktbackup', [
      '--confdir',
      place.confdir,
      '--cleartext',
      '--quiet',
      `--output=${output}`,
    ]);
    expect(backup.status, 'the restored server backs itself up, signed by the migrated key').toBe(0);
  },
);

test.skipIf(!hasGpg1)('a set is refused unless it is said that nobody signed it (needs gnupg1)', async () => {
  const { set } = await originalSet(await temporaryDirectory(), { dump: await foreignDump() });
  const place = await emptyPlace();
  const refused = await place.restore(set, '--yes');
  expect(refused).toMatchObject({ status: 8, stdout: '' });
  expect(refused.stderr).toMatch(
    /will be made\nktadmin: error: nobody signed this set: whoever could write it may have changed anything in it, the keys among it\nktadmin: hint: if you know where it comes from, add --unsigned\n$/,
  );
  expect(await readdir(place.directory)).toEqual([]);
});

test.skipIf(!hasGpg1)(
  'over a server that is there: another one’s needs --force, and what was there is kept (needs gnupg1)',
  async () => {
    const server = await testServer();
    await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
    const { set, confdir: original } = await originalSet(await temporaryDirectory(), {
      dump: await foreignDump(['-c']),
    });
    const before = await checksums(server.confdir);
    const refused = said(await server.ktadmin(['restore', set, '--unsigned', '--yes']));
    expect(refused).toEqual({
      status: 8,
      stdout: '',
      stderr:
        `ktadmin: error: the set belongs to another server: ${original.fingerprint}, and this one is ${server.fingerprint}\n` +
        'ktadmin: hint: to replace this server by that one, add --force\n',
    });
    expect(await checksums(server.confdir)).toBe(before);
    const restored = said(
      await server.ktadmin(['restore', set, '--unsigned', '--yes', '--force', '--load-dump', '--quiet']),
    );
    expect(restored).toMatchObject({ status: 0, stderr: '' });
    expect(restored.stdout).toMatch(
      new RegExp(
        `^Restored ${server.confdir} for ${original.fingerprint}: 0 organizations, 0 contacts, 0 clients, 0 deposits\n` +
          `The former configuration is in ${server.confdir}\\.before-\\S+\n` +
          'The former database is keytrustee_old_\\d+\n' +
          'The dump is in the database keytrustee_original \\(2 tables, 52 rows\\): ktadmin db psql -- -d keytrustee_original\n$',
      ),
    );
    expect((await configurationOf(server.confdir)).EXTERNAL_ADDRESS).toBe('kts01.example.com');
    const psql = ['db', 'psql', '--', '-X', '-A', '-t', '-d', 'keytrustee_original', '-c'];
    const items = await server.ktadmin([
      ...psql,
      "select name from org where secret = '' union select label from vault_item where id = 50 order by 1",
    ]);
    expect(items.stdout).toBe('item 50\ntab\tand \\ slash\n');
    const owner =
      "select pg_get_userbyid(datdba), rolcanlogin, rolsuper from pg_database, pg_roles where datname = 'keytrustee_original' and rolname = 'keytrustee_original'";
    expect(await server.query(owner)).toBe('keytrustee_original|f|f');
    expect(await server.query("select count(*) from pg_roles where rolname = 'keytrustee_import'")).toBe('0');
    const again = said(
      await server.ktadmin(['restore', set, '--unsigned', '--yes', '--load-dump', '--quiet']),
    );
    expect(again).toEqual({
      status: 6,
      stdout: '',
      stderr:
        'ktadmin: error: there is a database keytrustee_original already\n' +
        "ktadmin: hint: keep it: ktadmin db psql -- -d postgres -c 'alter database keytrustee_original rename to NAME'\n",
    });
    expect(existsSync(join(server.directory, `${STEM}.sql`))).toBe(false);
  },
);

test.skipIf(!hasGpg1)(
  'a dump is code, and does nothing outside of its own database (needs gnupg1)',
  async () => {
    const server = await testServer();
    await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
    const dump = await foreignDump();
    const scratch = await temporaryDirectory();
    const mark = join(scratch, 'mark');
    const unsigned = ['--unsigned', '--yes', '--force', '--load-dump'];
    const { set, root } = await originalSet(scratch, { dump });
    const start = dump.indexOf('SET statement_timeout');
    const evil = (text: string) => dump.slice(0, start) + text + dump.slice(start);
    const meta = 'ktadmin: error: the dump holds a command for psql itself, which pg_dump never writes\n';
    const cases: [string, string][] = [
      [`\\! touch ${mark}\n`, meta],
      [`\\unrestrict abc\n\\! touch ${mark}\n`, 'ktadmin: error: psql failed (exit status 3): '],
      [`select 1 \\g |touch ${mark}\n;\n`, meta],
      ['commit; drop database keytrustee;\n', 'ktadmin: error: psql failed (exit status 3): '],
    ];
    const before = await checksums(server.confdir);
    const databases = await server.query('select string_agg(datname, $$ $$ order by 1) from pg_database');
    for (const [text, message] of cases) {
      await writeFile(join(root, ORIGINAL_PLACE, `${STEM}.sql`), evil(text));
      await pack(set, root);
      const refused = said(await server.ktadmin(['restore', ...unsigned, set, '--quiet']));
      expect(refused.stderr.slice(0, message.length), text).toBe(message);
      expect(refused.status, text).toBeGreaterThan(0);
      expect(existsSync(mark), text).toBe(false);
      expect(await checksums(server.confdir)).toBe(before);
      expect(await server.query('select string_agg(datname, $$ $$ order by 1) from pg_database')).toBe(
        databases,
      );
    }
    // Whatever PostgreSQL lets its own role do outside of a database, this role may not.
    const attempts = [
      `copy (select 1) to program ''touch ${mark}''`,
      `copy (select 1) to ''${mark}''`,
      "select pg_read_file(''postgresql.auto.conf'')",
      'set session authorization keytrustee',
      'set role keytrustee',
      'alter role keytrustee_import superuser',
      "alter database keytrustee set search_path = ''elsewhere''",
      'create role another login',
      `select lo_export(lo_from_bytea(0, ''\\x00''), ''${mark}'')`,
      'create extension dblink',
    ];
    const blocks = attempts.map(
      (sql) =>
        `do $$ begin execute '${sql}'; raise 'was allowed: ${sql}'; exception when insufficient_privilege or undefined_file then null; end $$;\n`,
    );
    await writeFile(join(root, ORIGINAL_PLACE, `${STEM}.sql`), evil(blocks.join('')));
    await pack(set, root);
    const taken = said(await server.ktadmin(['restore', ...unsigned, set, '--quiet']));
    expect(taken).toMatchObject({ status: 0, stderr: '' });
    expect(existsSync(mark)).toBe(false);
    expect(
      await server.query("select count(*) from pg_roles where rolname in ('another', 'keytrustee_import')"),
    ).toBe('0');
    expect(await server.query('select count(*) from pg_largeobject_metadata')).toBe('0');
  },
  180_000,
);

test.skipIf(!hasGpg1)(
  'backup verify says what can be known of such a set, and what nobody can know (needs gnupg1)',
  async () => {
    const {
      set,
      confdir: original,
      root,
    } = await originalSet(await temporaryDirectory(), {
      dump: await foreignDump(),
    });
    const { size } = await lstat(set);
    const verify = async () =>
      said(await kt('ktadmin', ['backup', 'verify', set, '--confdir', join(world.directory, 'none')]));
    expect(await verify()).toEqual({
      status: 3,
      stderr: '',
      stdout: [
        `form        ok (clear, ${size} bytes)`,
        'container   not checked: the set is not encrypted',
        'receipt     not checked: there is none beside the set',
        'decryption  not checked: the set is not encrypted',
        'archive     ok (from its first block to its last)',
        'manifest    not checked: there is none: nobody signed this set, and it has no list of digests',
        `origin      not checked: it says to be by ${original.fingerprint}, and nobody signed that`,
        `members     ok (13; the secret key of ${original.fingerprint} is among them; certificate and private key belong together)`,
        'dump        ok (complete: 2 org, 50 vault_item; how many there were is not said)',
        'Nothing failed, but nobody signed it: it may have been changed, and nobody can know.\n',
      ].join('\n'),
    });
    await rm(join(root, ORIGINAL_PLACE, '.keytrustee/secring.gpg'));
    await pack(set, root);
    expect(await verify()).toMatchObject({
      status: 8,
      stdout: expect.stringContaining(
        `members     failed: the set is not whole: it lacks the secret key of ${original.fingerprint}\n`,
      ) as string,
    });
  },
);

test.skipIf(!hasGpg1)(
  'what does not belong into such a set is refused, and nothing is changed (needs gnupg1)',
  async () => {
    const directory = await temporaryDirectory();
    const dump = await foreignDump();
    const { set, root } = await originalSet(directory, { dump });
    const inside = join(root, ORIGINAL_PLACE);
    const confdir = join(inside, '.keytrustee');
    const whole = 'the set is not whole: ';
    const damaged = 'the archive is damaged: ';
    const cases: [string, string, string[]][] = [
      [
        `${damaged}../../etc/cron.d/x leads out of it`,
        '',
        ['--transform=s|var/lib/keytrustee/.keytrustee/gpg.conf|../../etc/cron.d/x|'],
      ],
      [
        `${damaged}/etc/cron.d/x leads out of it`,
        '',
        ['-P', '--transform=s|var/lib/keytrustee/.keytrustee/gpg.conf|/etc/cron.d/x|'],
      ],
      [
        `${whole}var/lib/other/x belongs to no part of it`,
        '',
        ['--transform=s|var/lib/keytrustee/.keytrustee/gpg.conf|var/lib/other/x|'],
      ],
      [
        `${damaged}var/lib/keytrustee/.keytrustee/gpg.conf is in it twice`,
        '',
        ['--transform=s|logging.conf|gpg.conf|'],
      ],
      [
        `${damaged}var/lib/keytrustee/.keytrustee/link is of the type SymbolicLink`,
        `ln -s /etc/passwd ${confdir}/link`,
        [],
      ],
      [
        `${damaged}var/lib/keytrustee/.keytrustee/pubring.gpg is of the type Link`,
        `ln ${confdir}/pubring.gpg ${confdir}/other`,
        [],
      ],
      [`${damaged}var/lib/keytrustee/.keytrustee/fifo is of the type FIFO`, `mkfifo ${confdir}/fifo`, []],
      [
        `${whole}var/lib/keytrustee/.keytrustee/gpg.conf has the mode 4600`,
        `chmod 4600 ${confdir}/gpg.conf`,
        [],
      ],
      [
        `${whole}it holds several keytrustee.conf`,
        `mkdir ${confdir}/old; cp ${confdir}/keytrustee.conf ${confdir}/old`,
        [],
      ],
      [`${whole}the database dump in it is not complete`, `truncate -s -200 ${inside}/${STEM}.sql`, []],
      [
        `${whole}var/lib/keytrustee/other.sql belongs to no part of it`,
        `cp ${inside}/${STEM}.sql ${inside}/other.sql`,
        [],
      ],
      [
        `${whole}keytrustee.conf names no LOCAL_FINGERPRINT`,
        `echo '{"LOCAL_FINGERPRINT": 1}' > ${confdir}/keytrustee.conf`,
        [],
      ],
      [
        `${whole}the certificate in it does not belong to the private key`,
        `openssl genrsa -out ${confdir}/.ssl/ssl-cert-keytrustee-pk.pem 2048`,
        [],
      ],
    ];
    const place = await emptyPlace();
    await run('cp', ['-a', root, `${root}.good`]);
    for (const [message, change, tarArgs] of cases) {
      await rm(root, { recursive: true });
      await run('cp', ['-a', `${root}.good`, root]);
      const done = await run('sh', ['-euc', change === '' ? 'true' : change]);
      expect(done.status, done.stderr).toBe(0);
      await pack(set, root, tarArgs);
      const refused = await place.restore(set, '--unsigned', '--yes', '--quiet');
      expect(refused.stderr.split('\n')[0], change).toBe(`ktadmin: error: ${message}`);
      expect(refused.status).toBe(8);
      expect(await readdir(place.directory)).toEqual([]);
    }
  },
  120_000,
);

test.skipIf(!hasGpg1)(
  'killed at any step, the same command run again completes it and leaves nothing else (needs gnupg1)',
  async () => {
    const server = await testServer();
    await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
    const { set, confdir: original } = await originalSet(await temporaryDirectory(), {
      dump: await foreignDump(),
    });
    const restore = (env: Record<string, string>) =>
      server.ktadmin(['restore', set, '--unsigned', '--yes', '--force', '--quiet', '--load-dump'], { env });
    for (const step of someOf(UNSIGNED_STEPS)) {
      const killed = await restore({ KTADMIN_KILL_AT: step });
      // 137 where another process went on as the service account.
      expect(killed.signal === 'SIGKILL' || killed.status === 137, step).toBe(true);
    }
    const again = said(await restore({}));
    expect(again).toMatchObject({ status: 0 });
    expect(again.stdout).toContain(`Restored ${server.confdir} for ${original.fingerprint}`);
    const names =
      "select string_agg(datname, ' ' order by datname) from pg_database where datname ~ 'keytrustee'";
    expect(await server.query(names)).toMatch(
      /^keytrustee( keytrustee_old_\d+)+ keytrustee_original$|^keytrustee keytrustee_original/,
    );
    expect(await server.query("select count(*) from pg_roles where rolname = 'keytrustee_import'")).toBe('0');
    expect((await readdir(server.directory)).filter((name) => /restoring|exchange/.test(name))).toEqual([]);
  },
  120_000,
);
