/** `ktadmin backup schedule`: the files that it writes, keeps its hands off, and takes away. */
import { chmod, cp, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { keyring } from '../../support/keyring.ts';
import { refusal, said } from '../../support/refusal.ts';
import {
  asAccount,
  isRoot,
  kt,
  ownedDirectory,
  type RunOptions,
  run,
  temporaryDirectory,
  testServer,
  world,
} from '../../support/sandbox.ts';
import { setsIn } from '../../support/sets.ts';
import { hasTerminal, ktadminOnTerminal } from '../../support/terminal.ts';

const CRON = 'etc/cron.d/keytrustee-backup';
const SERVICE = 'etc/systemd/system/keytrustee-backup.service';
const TIMER = 'etc/systemd/system/keytrustee-backup.timer';
let john = '';

/** Cron's HOME is that of the account database, where an ordinary user's tests must put nothing: they name the keyring. */
const KEYRING = join(world.directory, 'home', '.gnupg');
const named: Record<string, string> = isRoot ? {} : { GNUPGHOME: KEYRING };
const variables = isRoot ? '' : `GNUPGHOME=${KEYRING} `;

beforeAll(async () => {
  const listed = await run('gpg', [
    '--homedir',
    world.administrator,
    '--with-colons',
    '--list-keys',
    'John Doe',
  ]);
  john = /^fpr:+([0-9A-F]{40}):/m.exec(listed.stdout)?.[1] ?? '';
});

/** A server whose schedule is written below a directory of its own. */
async function place() {
  const server = await testServer({ start: false });
  const root = await temporaryDirectory();
  for (const path of ['etc/cron.d', 'etc/systemd/system']) await mkdir(join(root, path), { recursive: true });
  const output = join(server.directory, 'backups');
  const words = ['--every', '1h', '--gpg-recipient', 'John Doe', '--roll', '10', '--output', output];
  const schedule = (args: string[], options?: RunOptions) =>
    server.ktadmin(['backup', 'schedule', '--root', root, ...args], {
      ...options,
      env: { ...named, ...options?.env },
    });
  return { server, root, output, words, schedule, cron: join(root, CRON), timer: join(root, TIMER) };
}

async function files(root: string): Promise<string[]> {
  const all = await readdir(root, { recursive: true, withFileTypes: true });
  return all
    .filter((each) => !each.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
    .toSorted();
}

const conflict = (path: string) =>
  refusal(
    6,
    `${path} is there, and ktadmin did not write it, or somebody has changed it since`,
    `look at it; when it is not needed: rm ${path}`,
  );

test('writes a file for cron, shows it first, leaves it when it is right already, and takes it away', async () => {
  const { server, root, output, words, schedule, cron } = await place();
  const shown = await schedule([...words, '--dry-run']);
  expect(shown).toMatchObject({ status: 0, stdout: `Would write ${cron}\n` });
  expect(await files(root)).toEqual([]);
  expect(await readdir(server.directory)).not.toContain('backups');

  const written = await schedule([...words, '--yes'], { env: { KTADMIN_USER: '' } });
  expect(written).toEqual({ ...shown, stdout: `Wrote ${cron}\n` });
  const text = await readFile(cron, 'utf8');
  expect(written.stderr).toBe(`${cron}:\n\n${text}\n`);
  expect(text.split('\n')).toEqual([
    expect.stringMatching(
      /^# Written by ktadmin backup schedule, to be changed by it alone: sha256 [0-9a-f]{64}$/,
    ),
    `# Encrypts to ${john} "John Doe <doe@example.com>"`,
    'SHELL=/bin/sh',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'MAILTO=root',
    expect.stringMatching(/^[1-5]?[0-9] \* \* \* \* /),
    '',
  ]);
  const command = `${world.account.name} ${variables}${process.execPath} ${world.bin}/ktadmin backup --confdir=${server.confdir} --gpg-recipient=${john} --output=${output} --roll=10 --quiet >/dev/null`;
  expect(
    text
      .split('\n')
      .at(-2)
      ?.replace(/^\d+ \* \* \* \* /, ''),
  ).toBe(command);
  expect((await lstat(cron)).mode & 0o7777).toBe(0o644);
  const { mode, uid } = await lstat(output);
  expect([mode & 0o7777, uid]).toEqual([0o700, world.account.uid]);

  expect(await schedule(words), 'nothing to ask about').toMatchObject({
    status: 0,
    stdout: `Unchanged ${cron}\n`,
    stderr: '',
  });
  const changed = await schedule([...words.with(1, '1d'), '--yes']);
  expect(changed).toMatchObject({ status: 0, stdout: `Wrote ${cron}\n` });
  expect(await readFile(cron, 'utf8')).toMatch(/^\d+ 4 \* \* \* /m);

  const removal = { status: 0, stdout: `Removed ${cron}\n`, stderr: `${cron} will be removed\n` };
  expect(await schedule(['--remove', '--dry-run'])).toMatchObject({
    ...removal,
    stdout: `Would remove ${cron}\n`,
  });
  expect(await schedule(['--remove', '--yes'])).toMatchObject(removal);
  expect(await files(root)).toEqual([]);
  expect(await schedule(['--remove'])).toMatchObject({
    status: 0,
    stdout: 'There is no schedule\n',
    stderr: '',
  });
});

test('the line of the crontab makes a set, says nothing when all is well, and tells what is not', async () => {
  const server = await testServer();
  const root = await temporaryDirectory();
  await mkdir(join(root, 'etc/cron.d'), { recursive: true });
  const output = join(server.directory, `it's 100% "safe" \\% $(false) ${'`false`'} ü`);
  const words = [
    '--every=5m',
    '--gpg-recipient=John Doe',
    '--roll=1',
    `--output=${output}`,
    `--root=${root}`,
  ];
  const metrics = join(server.directory, 'keytrustee.prom');
  words.push(`--metrics-file=${metrics}`);
  expect((await server.ktadmin(['backup', 'schedule', '--yes', ...words], { env: named })).status).toBe(0);
  const line = (await readFile(join(root, CRON), 'utf8')).split('\n').at(-2) ?? '';
  // What cron does with a line: the account ends at the first blank, and `\%` is a per cent sign.
  const command = line.slice(line.indexOf(`${world.account.name} `) + world.account.name.length + 1);
  expect(command.replaceAll('\\%', '')).not.toContain('%');
  const nightly = () =>
    asAccount('env', ['-i', 'HOME=/', 'PATH=/usr/bin:/bin', '/bin/sh', '-c', command.replaceAll('\\%', '%')]);
  expect(await nightly()).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(await setsIn(output)).toEqual([expect.stringMatching(/^kts_bak_\S+\.tar\.gpg$/)]);
  expect(await readFile(metrics, 'utf8')).toContain('\nkeytrustee_backup_last_attempt_success 1\n');
  await server.ktadmin(['db', 'stop']);
  const failed = await nightly();
  expect(failed).toMatchObject({ status: 7, stdout: '' });
  expect(failed.stderr).toMatch(/^ktadmin: error: /);
});

test('what it did not write, or somebody has changed, it neither replaces nor removes', async () => {
  const { root, words, schedule, cron, timer } = await place();
  const all = [
    [...words, '--yes'],
    [...words, '--as', 'systemd', '--yes'],
    ['--remove', '--yes'],
  ];
  await writeFile(cron, '0 * * * * root reboot\n');
  for (const args of all) expect(said(await schedule(args))).toEqual(conflict(cron));
  expect(await readFile(cron, 'utf8')).toBe('0 * * * * root reboot\n');
  await rm(cron);

  await schedule([...words, '--yes']);
  const edited = (await readFile(cron, 'utf8')).replace('MAILTO=root', 'MAILTO=ops@example.com');
  await writeFile(cron, edited);
  for (const args of all) expect(said(await schedule(args))).toEqual(conflict(cron));
  expect(await readFile(cron, 'utf8')).toBe(edited);
  await rm(cron);

  await symlink('/nowhere', timer);
  for (const args of all) expect(said(await schedule(args))).toEqual(conflict(timer));
  expect(await files(root)).toEqual([TIMER]);
});

test('a schedule by systemd takes the place of one by cron, and the other way round', async () => {
  const { root, words, schedule, cron, timer } = await place();
  await schedule([...words, '--yes']);
  const service = join(root, SERVICE);
  const units = await schedule([...words, '--as', 'systemd', '--yes']);
  expect(units).toMatchObject({ status: 0, stdout: `Removed ${cron}\nWrote ${service}\nWrote ${timer}\n` });
  expect(await files(root)).toEqual([SERVICE, TIMER]);
  const again = await schedule([...words, '--as', 'systemd', '--json']);
  const unchanged = [service, timer].map((path) => ({ path, action: 'unchanged' }));
  expect(JSON.parse(again.stdout)).toEqual({ files: unchanged, dryRun: false, next: [] });
  await schedule([...words, '--as', 'cron', '--yes']);
  expect(await files(root)).toEqual([CRON]);
});

test('what would fail at night fails now, and nothing is written', async () => {
  const { server, root, output, words, schedule } = await place();
  const refused = async (args: string[], ...expected: Parameters<typeof refusal>) => {
    expect(said(await schedule([...args, '--yes']))).toEqual(refusal(...expected));
    expect(await files(root)).toEqual([]);
  };
  const home = KEYRING;
  await refused(
    words.with(3, 'Nobody'),
    5,
    `no key for recipient "Nobody" in ${home}`,
    `as the service account: gpg --homedir ${home} --import FILE`,
  );
  await refused(
    words.with(7, server.confdir),
    2,
    `${server.confdir} lies in ${server.confdir}, which is what is backed up`,
  );
  await ownedDirectory(server.directory, 'backups');
  await chmod(output, 0o777);
  await refused(
    words,
    4,
    `${output} can be written by other accounts`,
    `give a directory of its own: install -d -m 700 -o ${world.account.name} ${output}/keytrustee`,
  );
  await refused(words.with(7, '/tmp/a\nb'), 2, '"/tmp/a\\nb" has control characters in its name');
  const metrics = join(server.directory, 'nowhere', 'keytrustee.prom');
  await chmod(output, 0o700);
  await refused(
    [...words, '--metrics-file', metrics],
    4,
    `${join(server.directory, 'nowhere')}, where the metrics are to be written, cannot be written by ${world.account.name}`,
    `as root: install -d -m 755 -o ${world.account.name} ${join(server.directory, 'nowhere')}`,
  );
  const long = join(output, ...Array.from({ length: 5 }, () => 'x'.repeat(200)));
  const tooLong = await schedule([...words.with(7, long), '--yes']);
  expect(tooLong.status).toBe(2);
  expect(tooLong.stderr).toMatch(
    /^ktadmin: error: the line is too long for cron: \d+ bytes, and it reads 998\n/,
  );
});

test('a keyring that was named when it was scheduled is the one that is used at night', async () => {
  const { server, words, schedule, cron } = await place();
  const ring = await keyring(server.directory, 'ring of jane');
  const jane = await ring.make('Jane Doe');
  const args = words.with(3, 'Jane Doe');
  expect((await schedule([...args, '--yes'])).status).toBe(5);
  expect((await schedule([...args, '--yes'], { env: { GNUPGHOME: ring.home } })).status).toBe(0);
  const line = (await readFile(cron, 'utf8')).split('\n').at(-2) ?? '';
  expect(line).toContain(` ${world.account.name} GNUPGHOME='${ring.home}' ${process.execPath} `);
  expect(line).toContain(` --gpg-recipient=${jane} `);
});

test.skipIf(!isRoot)(
  'a program that the service account cannot read is refused, before it fails every night (needs root)',
  async () => {
    const { server, root, words } = await place();
    const hidden = join(await temporaryDirectory(), 'hidden');
    await cp(join(world.directory, 'program'), hidden, { recursive: true });
    await chmod(hidden, 0o700);
    const program = join(hidden, 'bin', 'ktadmin.js');
    const args = ['backup', 'schedule', '--confdir', server.confdir, '--root', root, ...words, '--yes'];
    expect(said(await run(process.execPath, [program, ...args]))).toEqual(
      refusal(
        4,
        `${world.account.name} cannot run ${process.execPath} ${program}`,
        'put Node.js and the program where every account can read them, for example below /opt',
      ),
    );
    expect(await files(root)).toEqual([]);
  },
);

test('says what is missing or wrong on the command line', async () => {
  const { words, schedule } = await place();
  const intervals = '5m, 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d, 1w';
  expect(said(await schedule(words.slice(2)))).toEqual(refusal(2, 'missing --every', `one of ${intervals}`));
  expect(said(await schedule(['--every=1h']))).toEqual(
    refusal(2, 'a scheduled backup is encrypted: give --gpg-recipient'),
  );
  expect(said(await schedule(words.with(1, '7m')))).toEqual(
    refusal(2, `--every: "7m" is none of ${intervals}`),
  );
  const asked = await schedule(words);
  expect(asked.status).toBe(2);
  expect(asked.stderr).toContain(
    'ktadmin: error: this asks before it changes anything, and there is no terminal to ask on\nktadmin: hint: to go on without being asked, add --yes\n',
  );
});

test('only root can write in /etc, and anybody else is told the line to type', async () => {
  const { server, words } = await place();
  const env = { KEYTRUSTEE_CONFDIR: server.confdir };
  const refused = await asAccount(join(world.bin, 'ktadmin'), ['backup', 'schedule', ...words], { env });
  const line = [
    'sudo ktadmin --confdir',
    server.confdir,
    'backup schedule',
    ...words.with(3, "'John Doe'"),
  ].join(' ');
  expect(refused).toMatchObject(refusal(4, 'only root can write in /etc', line));
});

test('says where there is no server, and where the directory of cron or systemd is missing', async () => {
  const { server, root, words, schedule } = await place();
  const nowhere = join(server.directory, 'nowhere');
  const hint = `ktadmin init --confdir ${nowhere}, or ktadmin restore FILE where a server was lost`;
  expect(
    said(await kt('ktadmin', ['backup', 'schedule', '--root', root, ...words, '--confdir', nowhere])),
  ).toEqual(refusal(3, `${nowhere} does not exist`, hint));
  await rm(join(root, 'etc'), { recursive: true });
  const refused = await schedule([...words, '--yes']);
  expect(said(refused)).toEqual(
    refusal(5, `${root}/etc/cron.d does not exist`, 'give the other --as: cron or systemd'),
  );
});

test.skipIf(!hasTerminal)(
  'asks on a terminal, and No changes nothing (needs util-linux script)',
  async () => {
    const { server, root, words } = await place();
    const typing: [string, string][] = [['Is that right?', 'n\r']];
    const screen = await ktadminOnTerminal(server, ['backup', 'schedule', '--root', root, ...words], {
      env: named,
      typing,
    });
    expect(screen.status).toBe(1);
    expect(screen.text).toContain('nothing was changed');
    expect(await files(root)).toEqual([]);
  },
);
