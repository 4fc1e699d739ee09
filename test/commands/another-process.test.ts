import { cp, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  isRoot,
  kt,
  ownedDirectory,
  run,
  temporaryDirectory,
  testServer,
  until,
  world,
} from '../support/sandbox.ts';

/** What Debian 13's Node does, which is linked to the system's libuv: it refuses to change its identity (CVE-2024-22017). */
const REFUSAL = ['setuid', 'setgid', 'seteuid', 'setegid', 'setgroups', 'initgroups']
  .map((name) => `process.${name}=()=>{throw new Error('${name}() disabled: io_uring may be enabled.')}`)
  .join(';');
const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(REFUSAL)}` };

describe.skipIf(!isRoot)('a Node that cannot change its own identity goes on in another process', () => {
  test('init belongs to the service account and hands on what was asked', async () => {
    const directory = await temporaryDirectory();
    const confdir = join(directory, '.keytrustee');
    const made = await kt('ktadmin', ['init', '--confdir', confdir, '--external-address', 'a.example.com'], {
      env,
    });
    expect(made.stderr).toContain(`Dropped privileges to ${world.account.name}\n`);
    expect(made).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Initialized directory for 4096R\//),
    });
    const shown = await kt('ktadmin', ['config', 'show', '--json', '--confdir', confdir], { env });
    expect(JSON.parse(shown.stdout)).toMatchObject({ EXTERNAL_ADDRESS: 'a.example.com' });
  });

  test('a code from standard input is read once, by the caller', async () => {
    const server = await testServer();
    await server.orgtool(['add', '-n', 'prod', '-c', 'a@example.com'], { env });
    const set = await server.orgtool(['set-auth', '-n', 'prod', '--secret-stdin'], {
      env,
      input: 'from a pipe\n',
    });
    expect(set.status).toBe(0);
    const listed = await server.orgtool(['list'], { env });
    expect(JSON.parse(listed.stdout)).toHaveProperty('prod.auth_secret', 'from a pipe');
    const missing = await server.orgtool(['set-auth', '-n', 'nobody', '--generate'], { env });
    expect(missing.status).toBe(5);
  });

  test('restore decrypts as root, whose key it is, and restores as the service account', async () => {
    const server = await testServer();
    await server.orgtool(['add', '-n', 'prod', '-c', 'a@example.com'], { env });
    const before = await server.orgtool(['list'], { env });
    expect(before).toMatchObject({ status: 0 });
    const output = await ownedDirectory(server.directory, 'backups');
    const made = await server.ktbackup(['--gpg-recipient=John Doe', '-q', `--output=${output}`], { env });
    const clear = await server.ktbackup(['--cleartext', '-q', `--output=${output}`], { env });
    await server.ktadmin(['db', 'stop'], { env });
    await rm(server.confdir, { recursive: true });
    await rm(server.pgRootdir, { recursive: true });
    const key = ['--gnupg-home', world.administrator];
    const restored = await server.ktadmin(['restore', made.stdout.trim(), ...key, '--yes'], { env });
    expect(restored).toMatchObject({ status: 0 });
    expect((await server.orgtool(['list'], { env })).stdout).toBe(before.stdout);
    const again = await server.ktadmin(['restore', clear.stdout.trim(), '--yes'], { env });
    expect(again).toMatchObject({ status: 0 });
    expect((await server.orgtool(['list'], { env })).stdout).toBe(before.stdout);
  });

  test('a signal that reached only the first process ends both', async () => {
    const server = await testServer({ start: false });
    const outcome = await server.ktadmin(['db', 'start', '--foreground'], {
      env,
      started: (child) => {
        void until(async () => (await server.ktadmin(['db', 'status'])).status === 0, 'the server runs').then(
          () => child.kill('SIGTERM'),
        );
      },
    });
    expect(outcome.signal).toBeNull();
    const plain = await server.ktadmin(['db', 'status'], { env });
    expect(plain.status).toBe(3);
  });

  test('where the account cannot read the program, it says so', async () => {
    const directory = await temporaryDirectory();
    const locked = join(directory, 'locked');
    await mkdir(locked, { mode: 0o700 });
    const top = join(import.meta.dirname, '..', '..');
    for (const part of ['bin', 'dist', 'package.json'])
      await cp(join(top, part), join(locked, part), { recursive: true });
    await symlink(join(top, 'node_modules'), join(locked, 'node_modules'));
    const server = await testServer({ start: false });
    const refused = await run(
      'node',
      [join(locked, 'bin', 'ktadmin.js'), 'db', 'stop', '--pg-rootdir', server.pgRootdir],
      { env },
    );
    expect(refused.status).toBe(4);
    expect(refused.stderr).toContain('cannot be read by');
    expect(refused.stderr).toContain('ktadmin: hint: put the program where every account can read it');
  });
});
