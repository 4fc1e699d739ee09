/** Losses that others have had with their backups, and that no other test here has for its subject: see docs/hazards.md. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, link, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fakePath, fakePostgres, give } from '../support/faults.ts';
import { keyring } from '../support/keyring.ts';
import { refusal, said } from '../support/refusal.ts';
import {
  asAccount,
  checksums,
  ownedDirectory,
  run,
  temporaryDirectory,
  testServer,
  world,
} from '../support/sandbox.ts';
import { backup, unpack } from '../support/sets.ts';

test('a restored database has the encoding, the locale and the owner of the one before', async () => {
  const server = await testServer();
  const set = await backup(server);
  const kind = `select pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype || ' ' || pg_get_userbyid(datdba)
    from pg_database where datname = 'keytrustee'`;
  const before = await server.query(kind);
  expect(before).toBe('UTF8 C.UTF-8 C.UTF-8 keytrustee');
  expect(await server.ktadmin(['restore', set, '--yes'])).toMatchObject({ status: 0 });
  expect(await server.query(kind)).toBe(before);
});

test('a dump does not wait for a lock without end, and never asks for a password', async () => {
  const server = await testServer();
  const scratch = await ownedDirectory(await temporaryDirectory(), 'scratch');
  const PG_BINDIR = await fakePostgres(scratch, {
    pg_dump: `echo "$*" >> ${scratch}/words; exec "$REAL" "$@"`,
  });
  const output = await ownedDirectory(server.directory, 'backups');
  const made = await server.ktbackup(['--cleartext', '--quiet', `--output=${output}`], {
    env: { PG_BINDIR },
  });
  expect(made.status).toBe(0);
  const words = (await readFile(join(scratch, 'words'), 'utf8')).split('\n')[0]?.split(' ');
  expect(words).toEqual(expect.arrayContaining(['-w', expect.stringMatching(/^--lock-wait-timeout=\d+$/)]));
});

test('GnuPG is never let onto the network for a recipient, known or not', async () => {
  const server = await testServer();
  const scratch = await ownedDirectory(await temporaryDirectory(), 'scratch');
  const PATH = await fakePath(scratch, { gpg: `echo "$*" >> ${scratch}/words; exec "$REAL" "$@"` });
  const output = await ownedDirectory(server.directory, 'backups');
  for (const recipient of ['John Doe', 'nobody@example.org'])
    await server.ktbackup([`--gpg-recipient=${recipient}`, '--quiet', `--output=${output}`], {
      env: { PATH },
    });
  const calls = (await readFile(join(scratch, 'words'), 'utf8')).trim().split('\n');
  const looking = calls.filter((call) => !call.endsWith('--version'));
  expect(looking.length).toBeGreaterThan(1);
  for (const call of looking) expect(call).toContain('--disable-dirmngr');
});

test('a gpg.conf in the recipients’ keyring adds no reader', async () => {
  const server = await testServer();
  const ring = await keyring(server.directory);
  const wanted = await ring.make('Wanted Wilma');
  const hidden = await ring.make('Hidden Hugo');
  await appendFile(
    join(ring.home, 'gpg.conf'),
    `encrypt-to ${hidden}\nhidden-encrypt-to ${hidden}\ndefault-recipient ${hidden}\ncompress-level 9\n`,
  );
  await give(join(ring.home, 'gpg.conf'));
  const output = await ownedDirectory(server.directory, 'backups');
  const made = await server.ktbackup([`--gpg-recipient=${wanted}`, '--quiet', `--output=${output}`], {
    env: { GNUPGHOME: ring.home },
  });
  expect(made).toMatchObject({ status: 0 });
  const packets = await asAccount('gpg', [
    ...['--homedir', world.administrator, '--batch', '--list-only', '--list-packets', made.stdout.trim()],
  ]).then(({ stdout }) => stdout);
  expect(packets.match(/^:pubkey enc packet:/gm)).toHaveLength(1);
});

test('an encrypted set tells no name of a file and no time of it', async () => {
  const server = await testServer();
  const set = await backup(server, '--gpg-recipient=John Doe');
  const listed = await run('gpg', ['--homedir', world.administrator, '--batch', '--list-packets', set]);
  expect(listed.stdout).toMatch(/^:literal data packet:\n\tmode b \([0-9A-F]+\), created \d+, name="",/m);
  expect(listed.stdout).not.toMatch(/^:compressed packet:/m);
});

test('a backup changes nothing in the configuration directory but the number of the set', async () => {
  const server = await testServer();
  const files = () => checksums(server.confdir);
  const before = await files();
  await backup(server, '--gpg-recipient=John Doe');
  expect(await files()).toEqual(before);
});

test('what lay beside the keys hides none of those that were restored', async () => {
  const server = await testServer();
  const files = () => checksums(server.confdir);
  const set = await backup(server);
  const before = await files();
  for (const name of ['.gpg-v21-migrated', 'pubring.gpg', 'secring.gpg', 'trustdb.gpg']) {
    await writeFile(join(server.confdir, name), 'stale');
    await give(join(server.confdir, name));
  }
  expect(await server.ktadmin(['restore', set, '--yes'])).toMatchObject({ status: 0 });
  expect(await files()).toEqual(before);
});

test('files with several names are stored whole under each of them', async () => {
  const server = await testServer();
  await link(join(server.confdir, 'logging.conf'), join(server.confdir, 'logging.again'));
  const { root, manifest } = await unpack(await backup(server), await temporaryDirectory());
  const text = await readFile(join(server.confdir, 'logging.conf'), 'utf8');
  for (const name of ['logging.conf', 'logging.again'])
    expect(await readFile(join(root, server.confdir, name), 'utf8')).toBe(text);
  const stored = manifest.members.filter(({ path }) => /\/logging\.(?:conf|again)$/.test(path));
  expect(stored.map(({ type, size }) => [type, size])).toEqual([
    ['File', Buffer.byteLength(text)],
    ['File', Buffer.byteLength(text)],
  ]);
});

test('nothing is restored through a link in the place of the configuration directory', async () => {
  const server = await testServer();
  const set = await backup(server);
  const elsewhere = `${server.confdir}.elsewhere`;
  await rename(server.confdir, elsewhere);
  await symlink(elsewhere, server.confdir);
  const before = await checksums(elsewhere);
  expect(said(await server.ktadmin(['restore', set, '--yes']))).toEqual(
    refusal(6, `${server.confdir} is a symbolic link`, 'name the directory that it points to'),
  );
  expect(await checksums(elsewhere)).toBe(before);
});

test('a reader that has gone away makes no failure of a good backup', async () => {
  const server = await testServer();
  const output = await ownedDirectory(server.directory, 'backups');
  const line = `set -o pipefail; ktbackup --cleartext --output=${output} 2>&1 | true; echo "$?"`;
  const done = await run('bash', ['-c', line], { env: { KEYTRUSTEE_CONFDIR: server.confdir } });
  expect(done).toMatchObject({ status: 0, stdout: '0\n' });
  const made = await run('find', [output, '-name', '*.tar']);
  expect(existsSync(made.stdout.trim())).toBe(true);
});

test('keys below a long path sign and open', async () => {
  const server = await testServer();
  const long = await ownedDirectory(await ownedDirectory(server.directory, 'd'.repeat(100)), 'e'.repeat(60));
  const confdir = join(long, '.keytrustee');
  await run('cp', ['-a', server.confdir, confdir]);
  const output = await ownedDirectory(server.directory, 'backups');
  const made = await server.ktbackup([
    `--confdir=${confdir}`,
    '--cleartext',
    '--quiet',
    `--output=${output}`,
  ]);
  expect(made).toMatchObject({ status: 0 });
  const restored = await server.ktadmin(['restore', made.stdout.trim(), `--confdir=${confdir}`, '--yes']);
  expect(restored).toMatchObject({ status: 0 });
});

const strace = spawnSync('strace', ['-V']).error === undefined;

test.skipIf(!strace)(
  'a set is on the disk before it has its name, and then the name (needs strace)',
  async () => {
    const server = await testServer();
    const output = await ownedDirectory(server.directory, 'backups');
    const trace = join(await temporaryDirectory(), 'trace');
    const made = await run(
      'strace',
      [
        '-f',
        '-y',
        '-o',
        trace,
        '-e',
        'trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2',
        join(world.bin, 'ktbackup'),
        '--cleartext',
        '--quiet',
        `--output=${output}`,
      ],
      { env: { KEYTRUSTEE_CONFDIR: server.confdir } },
    );
    expect(made.status).toBe(0);
    const set = made.stdout.trim();
    const calls = (await readFile(trace, 'utf8')).split('\n');
    const at = (pattern: RegExp, after = -1) =>
      calls.findIndex((call, index) => index > after && pattern.test(call));
    const escaped = set.replaceAll('.', '\\.');
    const synced = at(new RegExp(`f(?:data)?sync\\(\\d+<${escaped}\\.part>`));
    const named = at(new RegExp(`(?:link|rename)(?:at2?)?\\(.*"${escaped}\\.part".*"${escaped}"`), synced);
    const kept = at(new RegExp(`fsync\\(\\d+<${output}>`), named);
    expect([synced > -1, named > synced, kept > named]).toEqual([true, true, true]);
  },
);
