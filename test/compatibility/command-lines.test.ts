import { chown, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inNamespace } from '../support/faults.ts';
import { freePort, isRoot, kt, type Outcome, run, temporaryDirectory, world } from '../support/sandbox.ts';
import { setsIn } from '../support/sets.ts';

/** Runs a line as a shell of existing automation does; the environment names the directory only where the original's did. */
const line = (text: string, env: Record<string, string> = {}): Promise<Outcome> =>
  run('sh', ['-c', text], { env });

interface Organization {
  auth_secret: string;
  contacts: string[];
}

const parse = (text: string) => JSON.parse(text) as Record<string, Organization>;

test('the command lines of existing automation work unchanged in any directory', async () => {
  const D = await temporaryDirectory();
  // The ports of the original belong to the machine's own server, if it has one; nothing else is changed in the lines.
  const init = await line(`ktadmin init --confdir ${D}/.keytrustee --database-port ${await freePort()}`);
  expect(init.status).toBe(0);
  expect(init.stdout.trimEnd().split('\n').at(-1)).toMatch(/^Initialized directory for 4096R\/[0-9A-F]{40}$/);
  const start = await line(`ktadmin db --start --pg-rootdir ${D}/db --background`);
  expect(start.status).toBe(0);

  const empty = await line(`keytrustee-orgtool --confdir ${D}/.keytrustee list`);
  expect(parse(empty.stdout)).toEqual({});
  const add = `keytrustee-orgtool add -n disaster-recov -c finn@example.com,jake@example.com --confdir ${D}/.keytrustee`;
  for (const attempt of ['first', 'second']) expect((await line(add)).status, attempt).toBe(0);
  const list = await line(`keytrustee-orgtool --confdir ${D}/.keytrustee list`);
  expect(parse(list.stdout)['disaster-recov']).toMatchObject({
    auth_secret: expect.stringMatching(/^[A-Za-z0-9+/]{22}==$/) as string,
    contacts: ['finn@example.com', 'jake@example.com'],
  });

  const env = { KEYTRUSTEE_CONFDIR: `${D}/.keytrustee` };
  const code = await line("keytrustee-orgtool set-auth -n disaster-recov -s 'ThisISAs3cr3t!'", env);
  expect(code.status).toBe(0);
  expect(code.stderr + code.stdout).not.toContain('ThisISAs3cr3t!');
  const after = await line('keytrustee-orgtool list', env);
  expect(parse(after.stdout)['disaster-recov']?.auth_secret).toBe('ThisISAs3cr3t!');

  const backup = await line(
    `ktbackup --gpg-recipient='John Doe' --quiet --output=${D}/backups --roll=10`,
    env,
  );
  expect(backup.status).toBe(0);
  expect(backup.stdout).toMatch(
    new RegExp(`^${D}/backups/kts_bak_[a-z0-9_-]+_\\d{4}-\\d\\d-\\d\\d_\\d\\d-\\d\\d-\\d\\d\\.tar\\.gpg\n$`),
  );
  expect(backup.stderr).toBe('');
  expect((await lstat(backup.stdout.trim())).uid).toBe(world.account.uid);
  for (let count = 0; count < 10; count += 1) {
    await line(`ktbackup.sh --gpg-recipient='John Doe' --quiet --output=${D}/backups --roll=10`, env);
  }
  expect(await setsIn(`${D}/backups`)).toHaveLength(10);
  expect((await line(`ktadmin db --stop --pg-rootdir ${D}/db`)).status).toBe(0);
}, 180_000);

test.skipIf(!isRoot)(
  'without any option or variable they work on /var/lib/keytrustee (needs root: a mount namespace)',
  async () => {
    const own = await temporaryDirectory();
    const store = join(own, 'lib');
    await mkdir(store, { mode: 0o700 });
    await chown(store, world.account.uid, world.account.gid);
    const port = await freePort();
    const bin = world.bin;
    // A directory of the test's own takes the place; mounted over a fresh /var/lib, so that not even its name is touched.
    const script = `
    mount -t tmpfs -o mode=755 tmpfs /var/lib
    mkdir /var/lib/keytrustee
    mount --bind ${store} /var/lib/keytrustee
    export PATH=${bin}:$PATH
    ktadmin init --database-port ${port} | tail -n 1
    trap 'ktadmin db --stop --pg-rootdir /var/lib/keytrustee/db >&2' EXIT
    ktadmin db --start --pg-rootdir /var/lib/keytrustee/db --background >&2
    keytrustee-orgtool add -n disaster-recov -c finn@example.com,jake@example.com
    keytrustee-orgtool add -n disaster-recov -c finn@example.com,jake@example.com
    keytrustee-orgtool set-auth -n disaster-recov -s 'ThisISAs3cr3t!'
    ktbackup --gpg-recipient='John Doe' --quiet --output=/var/lib/keytrustee/backups --roll=10
    ktbackup --gpg-recipient='John Doe' --quiet
    keytrustee-orgtool list`;
    const done = await inNamespace(script, { env: { KEYTRUSTEE_CONFDIR: '', HOME: '/root' } });
    expect(done.status, done.stderr).toBe(0);
    const [initialized, first, second, ...json] = done.stdout.split('\n');
    expect(initialized).toMatch(/^Initialized directory for 4096R\/[0-9A-F]{40}$/);
    expect(first).toMatch(/^\/var\/lib\/keytrustee\/backups\/kts_bak_\S+\.tar\.gpg$/);
    expect(second).toMatch(/^\/var\/lib\/keytrustee\/kts_bak_\S+\.tar\.gpg$/);
    expect(parse(json.join('\n'))['disaster-recov']).toMatchObject({
      auth_secret: 'ThisISAs3cr3t!',
      contacts: ['finn@example.com', 'jake@example.com'],
    });
    const set = second?.split('/').at(-1);
    expect(await setsIn(store)).toEqual(['.keytrustee', 'audit', 'backups', 'db', set]);
    expect(
      (await kt('ktadmin', ['db', 'status', '--json', '--pg-rootdir', join(store, 'db')])).stdout,
    ).toContain('"running": false');
  },
  120_000,
);
