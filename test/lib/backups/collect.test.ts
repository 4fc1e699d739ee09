import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { collectConfdir } from '../../../src/lib/backups/collect.ts';
import { run, world } from '../../support/sandbox.ts';

let confdir: string;
beforeEach(async () => {
  confdir = await mkdtemp(join(world.directory, 't'));
  await mkdir(join(confdir, '.ssl'), { mode: 0o700 });
  await writeFile(join(confdir, '.ssl', 'key.pem'), 'key', { mode: 0o600 });
  await writeFile(join(confdir, 'keytrustee.conf'), '{}', { mode: 0o600 });
});
afterEach(() => rm(confdir, { recursive: true, force: true }));

const message = () =>
  collectConfdir(confdir).then(
    () => 'collected',
    (error: unknown) => (error as Error).message,
  );

test('files and directories are read with their bytes, modes and digests', async () => {
  await writeFile(join(confdir, 'logging.conf'), 'log');
  await chmod(join(confdir, 'logging.conf'), 0o4644);
  const { members, excluded } = await collectConfdir(confdir);
  expect(excluded).toEqual([]);
  expect(members.map(({ member, sha256 }) => [member.type, member.mode, sha256?.slice(0, 8)])).toEqual([
    ['Directory', 0o700, undefined],
    ['Directory', 0o700, undefined],
    ['File', 0o600, '2c70e12b'],
    ['File', 0o600, '44136fa3'],
    ['File', 0o644, expect.any(String)],
  ]);
});

test('a link is stored as what it points at; a dangling one, sockets, FIFOs and GnuPG’s locks are left out and named', async () => {
  await writeFile(join(confdir, '..', 'outside.pem'), 'outside');
  await symlink('../outside.pem', join(confdir, 'certificate.pem'));
  await symlink('nowhere', join(confdir, 'dangling'));
  await link(join(confdir, 'keytrustee.conf'), join(confdir, 'second-name.conf'));
  await run('mkfifo', [join(confdir, 'pipe')]);
  await symlink('pipe', join(confdir, 'to-pipe'));
  for (const name of ['.#lk0xabc', 'pubring.kbx.lock', 'random_seed', 'S.gpg-agent.ssh'])
    await writeFile(join(confdir, name), '');
  const server = createServer().listen(join(confdir, 'socket'));
  try {
    const { members, excluded } = await collectConfdir(confdir);
    const short = (path: string) => path.slice(confdir.length + 1);
    expect(members.map(({ member, data }) => [short(`/${member.path}`), data.toString()])).toEqual([
      ['', ''],
      ['.ssl', ''],
      ['.ssl/key.pem', 'key'],
      ['certificate.pem', 'outside'],
      ['keytrustee.conf', '{}'],
      ['second-name.conf', '{}'],
    ]);
    expect(excluded.map(short)).toEqual([
      '.#lk0xabc',
      'S.gpg-agent.ssh',
      'dangling',
      'pipe',
      'pubring.kbx.lock',
      'random_seed',
      'socket',
      'to-pipe',
    ]);
  } finally {
    server.close();
    await rm(join(confdir, '..', 'outside.pem'));
  }
});

test('defect: a link to a directory above it was followed without end', async () => {
  await symlink('..', join(confdir, '.ssl', 'loop'));
  await symlink('.', join(confdir, 'again'));
  expect(await message()).toBe(`${confdir}/.ssl/loop is a link to a directory above it`);
});

test('a link to a directory elsewhere is followed', async () => {
  const elsewhere = await mkdtemp(join(world.directory, 't'));
  await writeFile(join(elsewhere, 'ca.pem'), 'ca');
  await symlink(elsewhere, join(confdir, 'ca'));
  try {
    const { members } = await collectConfdir(confdir);
    const texts = members.map(
      ({ member, data }) => `${`/${member.path}`.slice(confdir.length)} ${data.toString()}`,
    );
    expect(texts).toEqual([
      ' ',
      '/.ssl ',
      '/.ssl/key.pem key',
      '/ca ',
      '/ca/ca.pem ca',
      '/keytrustee.conf {}',
    ]);
  } finally {
    await rm(elsewhere, { recursive: true });
  }
});

test('a name that is not UTF-8 is refused: a set could not hold it', async () => {
  await writeFile(Buffer.concat([Buffer.from(join(confdir, 'a')), Buffer.from([0xff])]), '');
  expect(await message()).toBe(`${confdir}/a\ufffd: the name is not UTF-8`);
});

test('a directory that is never twice the same is refused', async () => {
  // A file that reads differently every time.
  await symlink('/proc/sys/kernel/random/uuid', join(confdir, 'changing'));
  expect(await message()).toBe(`${confdir} keeps changing while it is read`);
  await rm(join(confdir, 'changing'));
  expect(await message()).toBe('collected');
});

test('what vanishes while it is read, like another program’s temporary file, is no error', async () => {
  let passing = true;
  const others = (async () => {
    while (passing) {
      await writeFile(join(confdir, 'passing'), '');
      await rm(join(confdir, 'passing'));
    }
  })();
  const said = new Set<string>();
  for (let count = 0; count < 30; count += 1) said.add(await message());
  passing = false;
  await others;
  expect([...said].filter((text) => text !== 'collected' && !text.includes('keeps changing'))).toEqual([]);
});

test('a directory too large for a configuration is refused', async () => {
  const big = join(confdir, 'big');
  await writeFile(big, '');
  await run('truncate', ['-s', '257M', big]);
  expect(await message()).toBe(`${big} is too large for a configuration file`);
});
