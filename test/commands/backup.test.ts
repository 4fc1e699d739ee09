import { createHash } from 'node:crypto';
import { appendFile, chmod, chown, link, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { give, tree } from '../support/faults.ts';
import {
  isRoot,
  ownedDirectory,
  run,
  type TestServer,
  temporaryDirectory,
  testServer,
  withoutDrop,
  world,
} from '../support/sandbox.ts';
import { backup, setsIn, unpack } from '../support/sets.ts';

const NAME = /^kts_bak_kts01_example_com_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?:-\d)?\.tar(?:\.gpg)?$/;
const DATED = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - keytrustee\.server\.backup`;

/** The files of a dump, in the order in which its script reads them. */
const TABLES = [
  'client',
  'client_approval',
  'contact',
  'contact_invitation',
  'deposit',
  'organization',
  'schema_migration',
];
const DUMP = ['tables.sql', ...TABLES.map((name) => `${name}.copy`), 'constraints.sql'];

async function attempt(server: TestServer, args: string[]) {
  const { status, stdout, stderr } = await server.ktbackup(args);
  return { status, stdout, stderr: withoutDrop(stderr) };
}

test('a set holds the directory, the dump and the signed manifest, in this order, for stock tools', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'disaster-recov', '-c', 'finn@example.com,jake@example.com']);
  const odd = [`${'long-'.repeat(40)}name`, 'with space and ünïcode 鍵', 'line\nfeed', `ü${'x'.repeat(120)}`];
  for (const name of odd) await give(await writeOwn(join(server.confdir, name), `content of ${name}`));
  await give(await writeOwn(join(server.confdir, 'S.gpg-agent'), ''));
  const set = await backup(server, '--gpg-recipient=John Doe');
  expect(basename(set)).toMatch(NAME);
  const { mode, uid } = await lstat(set);
  expect([mode & 0o777, uid]).toEqual([0o600, world.account.uid]);

  const scratch = await temporaryDirectory();
  const { archive, root, names, signature, manifest } = await unpack(set, scratch);
  const confdir = server.confdir.slice(1);
  const stem = basename(set).replace('.tar.gpg', '');
  expect(names[0]).toBe(`${confdir}/`);
  const own = [
    '.sql',
    ...['/', ...DUMP.map((name) => `/${name}`)].map((name) => `.data${name}`),
    '.manifest.asc',
  ].map((ending) => `${dirname(confdir)}/${stem}${ending}`);
  expect(names.slice(-own.length)).toEqual(own);
  expect(names.slice(0, -own.length).every((name) => name.startsWith(confdir))).toBe(true);
  expect(names).toContain(`${confdir}/.ssl/ssl-cert-keytrustee-pk.pem`);

  const fingerprint = server.fingerprint.replace(/^.*\//, '');
  expect(signature).toMatch(new RegExp(`^\\[GNUPG:\\] VALIDSIG ${fingerprint} `, 'm'));
  expect(manifest).toMatchObject({
    host: 'kts01.example.com',
    fingerprint: server.fingerprint,
    confdir: server.confdir,
    account: world.account.name,
    sequence: 1,
    recipients: [{ userId: 'John Doe <doe@example.com>' }],
    excluded: [join(server.confdir, 'S.gpg-agent')],
    database: {
      member: `${dirname(confdir)}/${stem}.sql`,
      parts: DUMP.map((name) => `${dirname(confdir)}/${stem}.data/${name}`),
      rows: { organization: 1, contact: 2, deposit: 0 },
    },
  });
  expect(manifest.members.map(({ path }) => path)).toHaveLength(names.length - 1);
  for (const member of manifest.members) {
    const stats = await lstat(join(root, member.path));
    expect(stats.isDirectory() ? 'Directory' : 'File').toBe(member.type);
    expect((stats.mode & 0o777).toString(8).padStart(4, '0')).toBe(member.mode);
    expect(member.owner).toBe(world.account.name);
    if (isRoot) expect(stats.uid).toBe(world.account.uid);
    if (member.type === 'Directory') continue;
    const data = await readFile(join(root, member.path));
    expect(data.length).toBe(member.size);
    expect(createHash('sha256').update(data).digest('hex'), member.path).toBe(member.sha256);
  }
  for (const name of odd)
    expect(await readFile(join(root, confdir, name), 'utf8')).toBe(`content of ${name}`);
  const listed = await run('tar', ['tvf', archive]);
  expect(listed.stderr).toBe('');
  const modes = listed.stdout.split('\n').map((line) => line.split(' ').slice(0, 2).join(' '));
  const owner = `${world.account.name}/${world.account.name}`;
  expect(new Set(modes)).toEqual(new Set([`drwx------ ${owner}`, `-rw------- ${owner}`, '']));
  const restored = await server.ktadmin(['restore', set, '--gnupg-home', world.administrator, '--yes']);
  expect(restored.status).toBe(0);
  for (const name of odd) {
    expect(await readFile(join(server.confdir, name), 'utf8')).toBe(`content of ${name}`);
  }
});

async function writeOwn(path: string, text: string): Promise<string> {
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

test('links are stored as what they point at, and what is no file is left out and named', async () => {
  const server = await testServer();
  const { confdir } = server;
  const outside = await writeOwn(join(server.directory, 'outside.pem'), 'outside');
  await give(outside);
  await symlink(outside, join(confdir, 'link.pem'));
  await link(join(confdir, 'logging.conf'), join(confdir, 'hard.conf'));
  await run('mkfifo', [join(confdir, 'pipe')]);
  const { root, manifest } = await unpack(await backup(server), await temporaryDirectory());
  expect((await lstat(join(root, confdir, 'link.pem'))).isFile()).toBe(true);
  expect(await readFile(join(root, confdir, 'link.pem'), 'utf8')).toBe('outside');
  expect((await lstat(join(root, confdir, 'hard.conf'))).nlink).toBe(1);
  expect(manifest.excluded).toEqual([join(confdir, 'pipe')]);
});

test('what is printed: the path alone when quiet, the steps in the original’s form, more when verbose', async () => {
  const server = await testServer();
  const output = await ownedDirectory(server.directory, 'backups');
  const recipient = '--gpg-recipient=John Doe';
  const quiet = await attempt(server, [recipient, '-q', '--output', output]);
  expect(quiet).toEqual({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/^\S+\.tar\.gpg\n$/) as string,
  });
  expect((await setsIn(output)).map((name) => join(output, name))).toEqual([quiet.stdout.trim()]);

  const plain = await attempt(server, [recipient, '--output', output]);
  const steps = [
    `${DATED} - INFO - Encrypting to [0-9A-F]{40} John Doe <doe@example.com>`,
    `${DATED} - INFO - Dumping the database on port ${server.port}`,
    String.raw`${DATED} - INFO - Wrote ${plain.stdout.trim()} \(\d+ bytes\)`,
  ];
  expect(plain.stderr).toMatch(new RegExp(`^${steps.join('\n')}\n$`));

  const verbose = await attempt(server, [recipient, '--verbose', '--output', output]);
  const dumped = String.raw`${DATED} - DEBUG - Dumping \d+ bytes of PostgreSQL \d+`;
  expect(verbose.stderr).toMatch(new RegExp(`^${dumped}`, 'm'));

  const clear = await attempt(server, ['--cleartext', '--output', output]);
  expect(clear.stderr).toMatch(
    /^ktadmin: warning: this set is not encrypted: whoever reads it has every key of this server\n/,
  );
  expect(clear.stdout).toMatch(/\.tar\n$/);
  expect(await attempt(server, ['--cleartext', '--quiet', '--output', output])).toMatchObject({
    status: 0,
    stderr: '',
  });

  const json = await attempt(server, [recipient, '--quiet', '--json', '--output', output]);
  expect(JSON.parse(json.stdout)).toMatchObject({ sequence: 6, encrypted: true, deleted: [] });
});

test('every way to name the configuration directory and the port', async () => {
  const server = await testServer();
  const output = await ownedDirectory(server.directory, 'backups');
  const bare = { env: { KEYTRUSTEE_CONFDIR: '' } };
  const common = ['--cleartext', '--quiet', '--output', output];
  for (const args of [
    ['-c', server.confdir, ...common],
    [`--confdir=${server.confdir}`, ...common],
    ['--confdir', server.confdir, ...common, `--database-port=${server.port}`],
    [...common, '-c', server.confdir],
  ]) {
    const { status, stderr } = await server.ktbackup(args, bare);
    expect({ status, stderr: withoutDrop(stderr) }, args.join(' ')).toEqual({ status: 0, stderr: '' });
  }
  expect(await setsIn(output)).toHaveLength(4);
  const beside = await server.ktbackup(['--cleartext', '--quiet']);
  expect(dirname(beside.stdout.trim())).toBe(server.directory);
  const wrong = server.port === 65_535 ? 65_534 : server.port + 1;
  expect(await attempt(server, [...common, `--database-port=${wrong}`])).toEqual({
    status: 7,
    stdout: '',
    stderr:
      `ktadmin: error: the database does not answer (port ${wrong}, socket in ${server.pgRootdir}/run)\n` +
      `ktadmin: hint: ktadmin db start --pg-rootdir ${server.pgRootdir}\n`,
  });
});

test('wrong options are refused before anything is made', async () => {
  const server = await testServer({ start: false });
  const before = await tree(server.directory);
  const number = (text: string) =>
    `ktadmin: error: --roll: "${text}" is not a whole number from 1 to 1000000\n`;
  const cases: [string[], string][] = [
    [
      [],
      'ktadmin: error: a backup is encrypted: give --gpg-recipient\n' +
        'ktadmin: hint: to write it in clear text, say so: --cleartext\n',
    ],
    [
      ['--gpg-recipient=John Doe', '--cleartext'],
      'ktadmin: error: --gpg-recipient and --cleartext exclude each other\n',
    ],
    ...['0', '-1', 'abc', '1000000000', '1e9', '1.5', '', ' 1', 'NaN'].map((text): [string[], string] => [
      ['--cleartext', `--roll=${text}`],
      number(text),
    ]),
    [
      ['--cleartext', '--database-port=70000'],
      'ktadmin: error: --database-port: "70000" is not a whole number from 1 to 65535\n',
    ],
    [['--cleartext', '--output='], 'ktadmin: error: --output: an empty path\n'],
    [
      ['--cleartext', `--output=${server.confdir}`],
      `ktadmin: error: ${server.confdir} lies in ${server.confdir}, which is what is backed up\n`,
    ],
    [
      ['--cleartext', `--output=${server.confdir}/new/deep`],
      `ktadmin: error: ${server.confdir}/new/deep lies in ${server.confdir}, which is what is backed up\n`,
    ],
  ];
  for (const [args, stderr] of cases) {
    expect(await attempt(server, args), args.join(' ')).toEqual({ status: 2, stdout: '', stderr });
  }
  expect(await tree(server.directory)).toBe(before);
});

test('an output directory that is not ours alone is refused', async () => {
  const server = await testServer({ start: false });
  const at = (name: string) => join(server.directory, name);
  const { name } = world.account;
  await writeFile(at('file'), '');
  for (const [directory, mode] of [
    ['group', 0o770],
    ['other', 0o707],
    ['sticky', 0o1777],
    ['closed', 0o500],
  ] as const) {
    await ownedDirectory(server.directory, directory);
    await chmod(at(directory), mode);
  }
  await ownedDirectory(server.directory, 'real');
  await symlink(at('real'), at('link'));
  await symlink(server.confdir, at('to-confdir'));
  const open = (directory: string) => ({
    status: 4,
    stderr:
      `ktadmin: error: ${directory} can be written by other accounts\n` +
      `ktadmin: hint: give a directory of its own: install -d -m 700 -o ${world.account.name} ${directory}/keytrustee\n`,
  });
  const cases: [string, { status: number; stderr: string }][] = [
    [at('file'), { status: 6, stderr: `ktadmin: error: ${at('file')} is not a directory\n` }],
    [
      at('file/below'),
      { status: 6, stderr: `ktadmin: error: ${at('file/below')} cannot be made: a file is in the way\n` },
    ],
    [at('group'), open(at('group'))],
    [at('other'), open(at('other'))],
    [at('sticky'), open(at('sticky'))],
    [
      at('closed'),
      {
        status: 4,
        stderr:
          `ktadmin: error: ${at('closed')} cannot be written by ${name}\n` +
          `ktadmin: hint: give a directory of its own; as root: install -d -m 700 -o ${name} ${at('closed')}/keytrustee\n`,
      },
    ],
    [
      at('link'),
      {
        status: 6,
        stderr: `ktadmin: error: ${at('link')} is a link\nktadmin: hint: --output ${at('real')}\n`,
      },
    ],
    [
      at('to-confdir/x'),
      {
        status: 2,
        stderr: `ktadmin: error: ${at('to-confdir/x')} lies in ${server.confdir}, which is what is backed up\n`,
      },
    ],
  ];
  for (const [output, expected] of cases) {
    const { status, stderr } = await attempt(server, ['--cleartext', '--quiet', `--output=${output}`]);
    expect({ status, stderr }, output).toEqual(expected);
  }
  await chmod(at('closed'), 0o700);
});

test.skipIf(!isRoot)(
  'a directory that root made is refused: only root can make one that is another’s',
  async () => {
    const server = await testServer({ start: false });
    const output = join(server.directory, 'roots');
    await mkdir(output, { mode: 0o755 });
    await chown(output, 0, 0);
    const refused = await attempt(server, ['--cleartext', '--quiet', `--output=${output}`]);
    expect(refused).toEqual({
      status: 4,
      stdout: '',
      stderr:
        `ktadmin: error: ${output} cannot be written by ${world.account.name}\n` +
        `ktadmin: hint: give a directory of its own; as root: install -d -m 700 -o ${world.account.name} ${output}/keytrustee\n`,
    });
  },
);

test('a missing output directory is made, for the service account alone', async () => {
  const server = await testServer();
  const output = join(server.directory, 'new', 'deep');
  const made = await server.ktbackup(['--cleartext', '--quiet', `--output=${output}`]);
  expect(dirname(made.stdout.trim())).toBe(output);
  for (const directory of [output, dirname(output)]) {
    const { mode, uid } = await lstat(directory);
    expect([mode & 0o777, uid]).toEqual([0o700, world.account.uid]);
  }
});

test('umask 000 opens nothing', async () => {
  const server = await testServer();
  const output = join(server.directory, 'new');
  const line = `umask 000; exec ktbackup --cleartext --quiet --output=${output}`;
  const made = await run('sh', ['-c', line], { env: { KEYTRUSTEE_CONFDIR: server.confdir } });
  expect(made.status).toBe(0);
  expect((await lstat(made.stdout.trim())).mode & 0o777).toBe(0o600);
  expect((await lstat(output)).mode & 0o777).toBe(0o700);
  expect((await lstat(join(server.confdir, 'backup.sequence'))).mode & 0o777).toBe(0o600);
});

test('--roll keeps the newest good ones of this host, and the runs of one second do not collide', async () => {
  const server = await testServer();
  const output = await ownedDirectory(server.directory, 'backups');
  const other = [
    'kts_bak_kts010_example_com_2016-02-10_11-14-37.tar.gpg',
    'kts_bak_kts01_example_com_2016-02-10_11-14-37.sql',
    'notes.txt',
  ];
  const unknown = ['2016', '2999'].map((year) => `kts_bak_kts01_example_com_${year}-02-10_11-14-37.tar.gpg`);
  for (const name of [...other, ...unknown]) await give(await writeOwn(join(output, name), name));
  const sets = async () => (await setsIn(output)).filter((name) => !other.includes(name));

  const made: string[] = [];
  for (const recipient of [[], ['--gpg-recipient=John Doe'], []])
    made.push(basename(await backup(server, '--roll=3', ...recipient)));
  expect(new Set(made).size).toBe(3);
  expect(await sets()).toEqual([...made, ...unknown].toSorted());
  await appendFile(join(output, made[1] ?? ''), 'x');
  const { size } = await lstat(join(output, made[1] ?? ''));
  const rolled = await attempt(server, ['--cleartext', '--quiet', '--roll=2', '--output', output]);
  expect(rolled).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^\S+\.tar\n$/) as string,
    stderr: expect.stringMatching(
      new RegExp(
        `^${DATED} - WARNING - ${output}/${made[1]} is damaged and is left as it is: ` +
          `it has ${size} bytes instead of ${size - 1}\n` +
          `${DATED} - WARNING - Not counted and not deleted: 2 older sets without a good receipt of this server ` +
          String.raw`\(ktadmin backup list\)\n$`,
      ),
    ) as string,
  });
  const last = basename(rolled.stdout.trim());
  expect(await sets()).toEqual([made[1], made[2], last, ...unknown].toSorted());
  const json = await attempt(server, ['--cleartext', '-q', '--json', '--roll=1', '--output', output]);
  const result = JSON.parse(json.stdout) as { path: string; deleted: string[] };
  expect(result.deleted).toEqual([made[2], last].map((name) => join(output, name ?? '')));
  expect(await sets()).toEqual([made[1], basename(result.path), ...unknown].toSorted());
  const { names } = await unpack(result.path, await temporaryDirectory());
  expect(names.some((name) => name.endsWith(`/${basename(result.path).replace('.tar', '.sql')}`))).toBe(true);
});

test('a hostile directory can be larger than a plain listing: 300 files, deep and long', async () => {
  const server = await testServer();
  let place = server.confdir;
  for (let depth = 0; depth < 12; depth += 1) {
    place = await ownedDirectory(place, `deep-${depth}-${'d'.repeat(30)}`);
    for (let count = 0; count < 25; count += 1) {
      await give(await writeOwn(join(place, `${count}-${'f'.repeat(count * 9)}`), `${depth}.${count}`));
    }
  }
  const set = await backup(server);
  await run('rm', ['-rf', join(server.confdir, `deep-0-${'d'.repeat(30)}`)]);
  const restored = await server.ktadmin(['restore', set, '--yes']);
  expect(withoutDrop(restored.stderr)).not.toContain('error');
  expect(await readFile(join(place, `24-${'f'.repeat(216)}`), 'utf8')).toBe('11.24');
});
