import { existsSync } from 'node:fs';
import { chmod, cp, lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { give } from '../support/faults.ts';
import { keyring } from '../support/keyring.ts';
import {
  asAccount,
  checksums,
  isRoot,
  ownedDirectory,
  run,
  type TestServer,
  temporaryDirectory,
  testServer,
  withoutDrop,
  world,
} from '../support/sandbox.ts';
import { backup, unpack } from '../support/sets.ts';
import { hasTerminal, ktadminOnTerminal } from '../support/terminal.ts';

const COMPLETE = "The restore is complete: the server's key opens, and every row is there\n";
const KEPT = String.raw`\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{3}`;

async function filledServer(): Promise<TestServer> {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  return server;
}

const restore = async (server: TestServer, args: string[], env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = await server.ktadmin(['restore', ...args], { env });
  return { status, stdout, stderr: withoutDrop(stderr) };
};

/** The administrator's keyring as one that the program may use: root's own, or one's own. */
const asAdministrator = ['--gnupg-home', world.administrator];

test('both kinds of set come back over a server that went on, and what was there is kept', async () => {
  const server = await filledServer();
  const before = await server.orgtool(['list']);
  for (const how of ['--gpg-recipient=John Doe', '--cleartext']) {
    const set = await backup(server, how);
    await server.orgtool(['add', '-n', 'later', '-c', 'root@localhost']);
    await writeFile(join(server.confdir, 'stale'), 'stale');
    await give(join(server.confdir, 'stale'));
    const restored = await restore(server, [set, '--yes', ...asAdministrator]);
    expect(restored.status).toBe(0);
    expect(restored.stdout).toMatch(
      new RegExp(
        `^Restored ${server.confdir} for ${server.fingerprint}: 1 organization, 1 contact, 0 clients, 0 deposits\n` +
          `The former configuration is in (${server.confdir}\\.before-${KEPT})\n` +
          String.raw`The former database is (keytrustee_old_\d{17})${'\n'}` +
          `${COMPLETE}$`,
      ),
    );
    expect(restored.stderr).toMatch(
      new RegExp(
        `^set of kts01.example.com, ${server.fingerprint}\n` +
          String.raw`  made           \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z${'\n'}` +
          String.raw`  holds          1 organization, 1 contact, 0 clients, 0 deposits \(there now: 2 organizations, 2 contacts, 0 clients, 0 deposits\)${'\n'}` +
          `  configuration  ${server.confdir} will be replaced; the present one is kept beside it\n` +
          `  database       ${server.pgRootdir} will be loaded; the present database is kept under another name\n` +
          'what going back loses or revives\n' +
          '  now   2 organizations, 2 contacts, 0 clients, 0 deposits\n' +
          '  then  1 organization, 1 contact, 0 clients, 0 deposits\n' +
          '  organizations that vanish: later\n$',
      ),
    );
    expect((await server.orgtool(['list'])).stdout).toBe(before.stdout);
    expect(existsSync(join(server.confdir, 'stale'))).toBe(false);
    const kept = /configuration is in (\S+)/.exec(restored.stdout)?.[1] ?? '';
    expect(await readFile(join(kept, 'stale'), 'utf8')).toBe('stale');
    const old = /database is (\S+)/.exec(restored.stdout)?.[1] ?? '';
    expect(await server.query(`select datallowconn from pg_database where datname = '${old}'`)).toBe('f');
  }
  for (const name of await readdir(server.confdir, { recursive: true, withFileTypes: true })) {
    const { mode, uid } = await lstat(join(name.parentPath, name.name));
    expect([mode & 0o777, uid]).toEqual([name.isDirectory() ? 0o700 : 0o600, world.account.uid]);
  }
  const names = await server.query(
    "select string_agg(datname, ' ') from pg_database where datname like '%new%'",
  );
  expect(names).toBe('');
  expect((await server.ktadmin(['db', 'restart'])).status).toBe(0);
});

test('defect: after a restore the numbers of sets began anew, and the oldest counted as the newest', async () => {
  const server = await filledServer();
  const numberOf = async (set: string) => (await unpack(set, await temporaryDirectory())).manifest.sequence;
  const first = await backup(server);
  await backup(server);
  expect(await numberOf(await backup(server))).toBe(3);
  expect((await restore(server, [first, '--yes'])).status).toBe(0);
  const fourth = await backup(server);
  expect(await numberOf(fourth)).toBe(4);
  expect((await restore(server, ['--undo', '--yes'])).status).toBe(0);
  expect(await numberOf(await backup(server))).toBe(5);
  await rm(server.confdir, { recursive: true });
  expect((await restore(server, [fourth, '--yes'])).status).toBe(0);
  // What came after it was on the server that is lost, and nowhere else.
  expect(await numberOf(await backup(server))).toBe(5);
});

test('a database that is stopped is started, and open connections to a running one are ended', async () => {
  const server = await filledServer();
  const set = await backup(server);
  await server.ktadmin(['db', 'stop']);
  const stopped = await restore(server, [set, '--yes']);
  expect(stopped.status).toBe(0);
  expect(stopped.stderr).toContain('holds          1 organization, 1 contact, 0 clients, 0 deposits\n');
  const held = server.ktadmin([
    'db',
    'psql',
    '--',
    '-X',
    '-c',
    'begin; select count(*), pg_sleep(600) from contact',
  ]);
  for (let found = '0'; found !== '1'; ) {
    found = await server.query(
      "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()",
    );
  }
  expect((await restore(server, [set, '--yes'])).status).toBe(0);
  expect((await held).status).not.toBe(0);
  expect((await server.orgtool(['list'])).stdout).toContain('"prod"');
});

test('what is missing is made: the cluster, the configuration, the directory above them', async () => {
  const server = await filledServer();
  const set = await backup(server);
  const before = await server.orgtool(['list']);
  const safe = join(await ownedDirectory(await temporaryDirectory(), 'safe'), basename(set));
  await cp(set, safe);
  await give(safe);

  await server.ktadmin(['db', 'stop']);
  await rm(server.pgRootdir, { recursive: true });
  const cluster = await restore(server, [safe, '--yes']);
  expect(cluster.status).toBe(0);
  expect(cluster.stdout).toMatch(
    new RegExp(`^Restored .*\nThe former configuration is in \\S+\n${COMPLETE}$`),
  );

  await rm(server.confdir, { recursive: true });
  const confdir = await restore(server, [safe, '--yes']);
  expect(confdir.stdout).toMatch(
    new RegExp(`^Restored .*\nThe former database is keytrustee_old_\\d+\n${COMPLETE}$`),
  );

  await server.ktadmin([
    'db',
    'psql',
    '--',
    '-X',
    '-d',
    'postgres',
    '-c',
    'drop database keytrustee with (force)',
  ]);
  const database = await restore(server, [safe, '--yes']);
  expect(database.stdout, 'defect: a former database was named that never was').toMatch(
    new RegExp(`^Restored .*\nThe former configuration is in \\S+\n${COMPLETE}$`),
  );

  await server.ktadmin(['db', 'stop']);
  await run('find', [server.directory, '-mindepth', '1', '-delete']);
  // Only root can make the directory itself again, which lies in one of root's.
  if (isRoot) await rm(server.directory, { recursive: true });
  const fresh = await restore(server, [safe, '--yes']);
  expect(fresh.stderr).toContain(`configuration  ${server.confdir} will be made\n`);
  expect(fresh).toMatchObject({
    status: 0,
    stdout: `Restored ${server.confdir} for ${server.fingerprint}: 1 organization, 1 contact, 0 clients, 0 deposits\n${COMPLETE}`,
  });
  expect((await server.orgtool(['list'])).stdout).toBe(before.stdout);
  expect((await lstat(server.directory)).uid).toBe(world.account.uid);
});

test('another server’s set is refused without --force and taken with it', async () => {
  const one = await filledServer();
  const set = await backup(one);
  const conf = join(one.confdir, 'keytrustee.conf');
  const foreign = `4096R/${'0123456789'.repeat(4)}`;
  await writeFile(conf, (await readFile(conf, 'utf8')).replaceAll(one.fingerprint, foreign));
  const before = await checksums(one.confdir);
  expect(await restore(one, [set, '--yes'])).toEqual({
    status: 8,
    stdout: '',
    stderr:
      `ktadmin: error: the set belongs to another server: ${one.fingerprint}, and this one is ${foreign}\n` +
      'ktadmin: hint: to replace this server by that one, add --force\n',
  });
  expect(await checksums(one.confdir)).toBe(before);
  expect((await restore(one, [set, '--yes', '--force'])).status).toBe(0);
  expect(await readFile(conf, 'utf8')).toContain(one.fingerprint);
  await writeFile(conf, '{ not JSON');
  expect((await restore(one, [set, '--yes'])).status, 'a damaged configuration is no obstacle').toBe(0);
});

test('a set that was made elsewhere is refused, and says where', async () => {
  const one = await filledServer();
  const two = await testServer({ start: false });
  const set = await backup(one);
  expect(await restore(two, [set, '--yes', '--force'])).toEqual({
    status: 6,
    stdout: '',
    stderr:
      `ktadmin: error: the set was made from ${one.confdir}, not from ${two.confdir}\n` +
      `ktadmin: hint: give --confdir ${one.confdir}, or --relocate to restore it into ${two.confdir}\n`,
  });
});

test('what is no backup set is refused, whatever it is, and nothing is changed', async () => {
  const server = await filledServer();
  const set = await backup(server);
  const encrypted = await backup(server, '--gpg-recipient=John Doe');
  const bytes = await readFile(encrypted);
  const scratch = await ownedDirectory(await temporaryDirectory(), 'scratch');
  const put = async (name: string, data: string | Buffer) => {
    await writeFile(join(scratch, name), data);
    return join(scratch, name);
  };
  const flipped = Buffer.from(bytes);
  flipped[bytes.length - 5000] = (flipped[bytes.length - 5000] ?? 0) ^ 1;
  await run('mkfifo', [join(scratch, 'fifo')]);
  await run('tar', ['-cf', join(scratch, 'other.tar'), '-C', '/etc', 'hostname']);
  const encrypt = ['--homedir', world.administrator, '--batch', '--trust-model', 'always', '-r', 'John Doe'];
  await run('gpg', [...encrypt, '-o', join(scratch, 'letter.gpg'), '-e'], { input: 'no archive' });
  const notSet = (path: string) => ({
    status: 8,
    stderr:
      `ktadmin: error: ${path} is not a backup set\n` +
      'ktadmin: hint: give a .tar or .tar.gpg file that ktbackup made\n',
  });
  const damaged = (path: string) => ({
    status: 8,
    stderr:
      `ktadmin: error: ${path} is damaged, or not an OpenPGP file that this key opens\n` +
      'ktadmin: hint: use another backup set\n',
  });
  const empty = await put('empty', '');
  const text = await put('text', 'hello\n');
  const short = await put('short.gpg', bytes.subarray(0, bytes.length / 2));
  const header = await put('header.gpg', bytes.subarray(0, 3));
  const flip = await put('flip.gpg', flipped);
  const part = await put('set.tar.gpg.part', bytes);
  const letter = join(scratch, 'letter.gpg');
  const other = join(scratch, 'other.tar');
  const cut = await put('cut.tar', (await readFile(set)).subarray(0, 20 * 512));
  const cases: [string, { status: number; stderr: string }][] = [
    [
      join(scratch, 'none'),
      { status: 5, stderr: `ktadmin: error: ${join(scratch, 'none')}: no such file or directory\n` },
    ],
    [scratch, { status: 1, stderr: `ktadmin: error: ${scratch} is not a file\n` }],
    [
      join(scratch, 'fifo'),
      { status: 1, stderr: `ktadmin: error: ${join(scratch, 'fifo')} is not a file\n` },
    ],
    [empty, notSet(empty)],
    [text, notSet(text)],
    [short, damaged(short)],
    [header, damaged(header)],
    [flip, damaged(flip)],
    [
      part,
      {
        status: 8,
        stderr: `ktadmin: error: ${part} is an unfinished backup set\nktadmin: hint: use a set without .part\n`,
      },
    ],
    [
      letter,
      {
        status: 8,
        stderr: `ktadmin: error: ${letter} holds no backup set\nktadmin: hint: use another file\n`,
      },
    ],
    [
      other,
      {
        status: 8,
        stderr:
          'ktadmin: error: the set has no manifest at its end: it is cut short, or another program made it\n',
      },
    ],
    [
      cut,
      {
        status: 8,
        stderr:
          'ktadmin: error: the archive is damaged: it is cut short\nktadmin: hint: use another backup set\n',
      },
    ],
  ];
  await run('chmod', ['-R', 'a+rX', scratch]);
  const before = [
    await checksums(server.confdir),
    await server.orgtool(['list']),
    await readdir(server.directory),
  ];
  for (const [path, expected] of cases) {
    const { status, stdout, stderr } = await restore(server, [path, '--yes', ...asAdministrator]);
    expect({ status, stdout, stderr }, path).toEqual({ ...expected, stdout: '' });
  }
  expect([
    await checksums(server.confdir),
    await server.orgtool(['list']),
    await readdir(server.directory),
  ]).toEqual(before);
});

test('without a terminal it asks nobody: status 2, and nothing is changed', async () => {
  const server = await filledServer();
  const set = await backup(server);
  const before = await checksums(server.confdir);
  for (const args of [[set], [set, '--no-input']]) {
    const refused = await restore(server, args);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(
      /kept under another name\nktadmin: error: this asks before it changes anything, and there is no terminal to ask on\nktadmin: hint: to go on without being asked, add --yes\n$/,
    );
  }
  expect(await checksums(server.confdir)).toBe(before);
});

test.skipIf(!hasTerminal)(
  'on a terminal it asks (needs script of util-linux): n and Ctrl-C change nothing, y restores',
  async () => {
    const server = await filledServer();
    const set = await backup(server);
    const before = await checksums(server.confdir);
    const names = await readdir(server.directory);
    const question = 'Replace what is there?';
    for (const [keys, status, says] of [
      ['n\r', 1, 'ktadmin: error: nothing was changed'],
      ['\r', 1, 'ktadmin: error: nothing was changed'],
      ['\u0003', 130, 'ktadmin: error: interrupted by SIGINT'],
    ] as const) {
      const screen = await ktadminOnTerminal(server, ['--no-color', 'restore', set], {
        typing: [[question, keys]],
      });
      expect(screen.status, keys).toBe(status);
      expect(screen.text).toContain(says);
      expect(await checksums(server.confdir)).toBe(before);
      expect(await readdir(server.directory)).toEqual(names);
    }
    const noInput = await ktadminOnTerminal(server, ['restore', set, '--no-input']);
    expect(noInput.status).toBe(2);
    const yes = await ktadminOnTerminal(server, ['restore', set], { typing: [[question, 'y\r']] });
    expect(yes.text).toContain(`Restored ${server.confdir}`);
    expect(yes.status).toBe(0);
  },
);

test('keys: none here, a wrong passphrase, no passphrase, and the right one from a file', async () => {
  const server = await filledServer();
  const scratch = await temporaryDirectory();
  const ring = await keyring(scratch, 'r');
  const nobody = await keyring(scratch, 'n');
  const fingerprint = await ring.make('Pat Protected', { passphrase: 'correct horse' });
  const output = await ownedDirectory(server.directory, 'backups');
  const made = await server.ktbackup([`--gpg-recipient=${fingerprint}`, '--quiet', `--output=${output}`], {
    env: { GNUPGHOME: ring.home },
  });
  const set = made.stdout.trim();
  // Passphrases that were typed while the key was made are not to be remembered.
  await asAccount('gpgconf', ['--homedir', ring.home, '--kill', 'all']);
  const right = join(scratch, 'right');
  const wrong = join(scratch, 'wrong');
  await writeFile(right, 'correct horse\nmore\n', { mode: 0o600 });
  await writeFile(wrong, 'battery staple\n', { mode: 0o600 });
  if (isRoot) await run('chown', [world.account.name, right, wrong]);
  const call = async (args: string[]) => {
    const { status, stderr } = await asAccount('ktadmin', ['restore', set, '--yes', ...args], {
      env: { KEYTRUSTEE_CONFDIR: server.confdir },
    });
    return { status, stderr };
  };
  const before = await checksums(server.confdir);
  expect(await call(['--gnupg-home', nobody.home])).toEqual({
    status: 8,
    stderr: expect.stringMatching(
      new RegExp(
        `^ktadmin: error: ${set}: none of the recipients' secret keys is here \\([0-9A-F]{16}\\)\n` +
          'ktadmin: hint: run it as the recipient, or give --gnupg-home DIR\n$',
      ),
    ) as string,
  });
  expect(await call(['--gnupg-home', ring.home])).toEqual({
    status: 8,
    stderr:
      `ktadmin: error: ${set}: the recipient's key is protected and no passphrase was given\n` +
      'ktadmin: hint: run it on a terminal, or give --passphrase-file F\n',
  });
  expect(await call(['--gnupg-home', ring.home, '--passphrase-file', wrong])).toEqual({
    status: 8,
    stderr: `ktadmin: error: ${set}: wrong passphrase for the recipient's key\n`,
  });
  expect(await call(['--gnupg-home', ring.home, '--passphrase-file', join(scratch, 'none')])).toEqual({
    status: 5,
    stderr: `ktadmin: error: ${join(scratch, 'none')}: no such file or directory\n`,
  });
  expect(await checksums(server.confdir)).toBe(before);
  expect((await call(['--gnupg-home', ring.home, '--passphrase-file', right])).status).toBe(0);
});

test.skipIf(!isRoot)(
  'root decrypts with root’s own keyring, which the service account cannot enter, and then becomes it',
  async () => {
    const server = await filledServer();
    const set = await backup(server, '--gpg-recipient=John Doe');
    const { status, stderr } = await server.ktadmin(['restore', set, '--yes'], {
      env: { GNUPGHOME: world.administrator },
    });
    expect(status).toBe(0);
    expect(stderr).toMatch(new RegExp(`^Dropped privileges to ${world.account.name}\nset of kts01`));
    expect((await lstat(server.confdir)).uid).toBe(world.account.uid);
    const asService = await asAccount('ktadmin', ['restore', set, '--yes'], {
      env: { KEYTRUSTEE_CONFDIR: server.confdir, GNUPGHOME: world.administrator },
    });
    expect(asService.status).toBe(8);
  },
);

test.skipIf(!isRoot)(
  'a directory above that the account cannot write to is refused first (needs root to make one)',
  async () => {
    const server = await filledServer();
    const set = await backup(server, '--gpg-recipient=John Doe');
    const safe = join(await ownedDirectory(await temporaryDirectory(), 'safe'), basename(set));
    await cp(set, safe);
    await give(safe);
    await server.ktadmin(['db', 'stop']);
    await run('chown', ['root:root', server.directory]);
    await chmod(server.directory, 0o755);
    const before = await checksums(server.directory);
    const refused = {
      status: 4,
      stdout: '',
      stderr:
        `ktadmin: error: ${server.directory} cannot be written by ${world.account.name}, so nothing in it can be exchanged\n` +
        `ktadmin: hint: as root: chown ${world.account.name}: ${server.directory}\n`,
    };
    expect(await restore(server, [safe, '--yes', ...asAdministrator])).toEqual(refused);
    const asService = await asAccount('ktadmin', ['restore', safe, '--yes'], {
      env: { KEYTRUSTEE_CONFDIR: server.confdir },
    });
    expect(asService).toMatchObject(refused);
    expect(await checksums(server.directory)).toBe(before);
    expect(dirname(server.confdir)).toBe(server.directory);
  },
);

test.skipIf(!hasTerminal)('Ctrl-D at the question is no consent, and no success either', async () => {
  const server = await filledServer();
  const set = await backup(server);
  const before = await checksums(server.confdir);
  const { status, text } = await ktadminOnTerminal(server, ['restore', set], {
    typing: [['Replace what is there?', '\u0004']],
  });
  expect(text).toContain('no answer was given, and nothing was changed');
  expect(status).toBe(1);
  expect(await checksums(server.confdir)).toBe(before);
});
