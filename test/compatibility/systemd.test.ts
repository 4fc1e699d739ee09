/** The units that `ktadmin backup schedule --as systemd` writes, as systemd reads them. */
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inNamespace } from '../support/faults.ts';
import { isRoot, run, temporaryDirectory, testServer, world } from '../support/sandbox.ts';

/** Without root the tests' keyring is not the one that systemd's HOME leads to. */
const env: Record<string, string> = isRoot ? {} : { GNUPGHOME: join(world.directory, 'home', '.gnupg') };
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

test.skipIf(!hasSystemd)(
  'systemd takes the units without a word, and reads every name as it was meant (skipped without systemd-analyze)',
  async () => {
    const server = await testServer({ start: false });
    const root = await temporaryDirectory();
    const units = join(root, 'etc/systemd/system');
    await mkdir(units, { recursive: true });
    const output = join(server.directory, `it's 100% "safe" \\x41 $HOME \${HOME} %n ü`);
    const args = ['--every=15m', '--as=systemd', '--gpg-recipient=John Doe', `--output=${output}`];
    const written = await server.ktadmin(['backup', 'schedule', '--root', root, '--yes', ...args], { env });
    expect(written.status, written.stderr).toBe(0);
    expect((await readdir(units)).toSorted()).toEqual([
      'keytrustee-backup.service',
      'keytrustee-backup.timer',
    ]);

    const service = join(units, 'keytrustee-backup.service');
    const timer = join(units, 'keytrustee-backup.timer');
    const clean = { status: 0, stdout: '', stderr: '' };
    expect(await run('systemd-analyze', ['verify', '--man=no', timer])).toMatchObject(clean);
    expect(await run('systemd-analyze', ['verify', '--man=no', service])).toMatchObject(clean);

    const debug = { env: { SYSTEMD_LOG_LEVEL: 'debug', LC_ALL: 'C.UTF-8' } };
    const read = await run('systemd-analyze', ['verify', '--man=no', service], debug);
    const field = (name: string) => new RegExp(`^\\s*${name}: (.*)$`, 'm').exec(read.stdout)?.[1] ?? '';
    const identity = /Encrypts to ([0-9A-F]{40}) /.exec(await readFile(service, 'utf8'))?.[1] ?? '';
    expect(identity).not.toBe('');
    const confdir = `--confdir=${server.confdir}`;
    // The manager halves dollars only when it starts the program; in what it prints they are still two.
    const words = [
      process.execPath,
      join(world.bin, 'ktadmin'),
      'backup',
      confdir,
      `--gpg-recipient=${identity}`,
    ];
    const printed = output.replaceAll('$', '$$$$').replaceAll(/["\\$`]/g, '\\$&');
    expect(field('Command Line')).toBe(`${words.join(' ')} "--output=${printed}" --quiet`);
    expect(field('ReadWritePaths')).toBe(
      `-/tmp -${output} -${server.confdir} -${server.pgRootdir} -${join(world.directory, 'home', '.gnupg')}`,
    );
    expect(field('User')).toBe(world.account.name);
  },
);

test.skipIf(!hasSystemd)(
  'the service is closed to what a backup does not need, and the timer can be enabled (skipped without systemd-analyze)',
  async () => {
    const server = await testServer({ start: false });
    const root = await temporaryDirectory();
    await mkdir(join(root, 'etc/systemd/system'), { recursive: true });
    const args = ['--every=1d', '--as=systemd', '--gpg-recipient=John Doe', '--root', root, '--yes'];
    expect((await server.ktadmin(['backup', 'schedule', ...args], { env })).status).toBe(0);
    const service = join(root, 'etc/systemd/system/keytrustee-backup.service');
    const judged = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', service]);
    expect(judged.status, judged.stdout).toBe(0);
    const enabled = await run('systemctl', ['--root', root, 'enable', 'keytrustee-backup.timer']);
    expect(enabled.status, enabled.stderr).toBe(0);
    expect(await readdir(join(root, 'etc/systemd/system/timers.target.wants'))).toEqual([
      'keytrustee-backup.timer',
    ]);
  },
);

test.skipIf(!isRoot)('a backup writes nowhere but where the service may write (needs root)', async () => {
  const server = await testServer();
  const root = await temporaryDirectory();
  await mkdir(join(root, 'etc/systemd/system'), { recursive: true });
  const output = join(server.directory, 'backups');
  const args = ['--every=1d', '--as=systemd', '--gpg-recipient=John Doe', `--output=${output}`];
  await server.ktadmin(['backup', 'schedule', ...args, '--root', root, '--yes']);
  const unit = await readFile(join(root, 'etc/systemd/system/keytrustee-backup.service'), 'utf8');
  const line = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
  const [, ...paths] = line('ReadWritePaths')
    .split(' ')
    .map((word) => word.slice(2, -1));
  const { name } = world.account;
  const script = `
      for path in ${paths.join(' ')}; do mount --bind $path $path; done
      mount --rbind ${world.directory} ${world.directory}
      mount -o remount,bind,ro ${world.directory}
      exec setpriv --reuid=${name} --regid=${name} --init-groups ${line('ExecStart')}`;
  expect(await inNamespace(script)).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringContaining(output),
  });
  const without = script.replace(` ${output} `, ' ');
  expect((await inNamespace(without)).stderr).toContain('cannot be written');
});
