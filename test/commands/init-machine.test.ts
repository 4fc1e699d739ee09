/** `ktadmin init` on machines that are made for a test: without the account, without GnuPG, with an unreadable program. */
import { mkdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inNamespace, PRIVATE_ETC } from '../support/namespace.ts';
import { freePort, isRoot, run, temporaryDirectory, withoutDrop, world } from '../support/sandbox.ts';

const top = dirname(dirname(import.meta.dirname));
const asShipped = { env: { KTADMIN_USER: '' } };

test.skipIf(!isRoot)('on a fresh machine root makes the account and the whole default server', async () => {
  const machine = await inNamespace(
    `${PRIVATE_ETC}
mount -t tmpfs -o mode=0755 tmpfs /var/lib
exec 2>&1
ktadmin init --external-address kts01.example.com
getent passwd keytrustee | cut -d: -f5-
stat -c '%U:%G %a %n' /var/lib/keytrustee /var/lib/keytrustee/.keytrustee /var/lib/keytrustee/db
ktadmin db --start --pg-rootdir /var/lib/keytrustee/db --background
trap 'ktadmin db --stop --pg-rootdir /var/lib/keytrustee/db' EXIT
keytrustee-orgtool --quiet add -n disaster-recov -c finn@example.com
keytrustee-orgtool --quiet list | grep name
ktbackup --cleartext --quiet 2>/dev/null | sed 's/_[0-9]\\{4\\}-.*/_…/'
`,
    asShipped,
  );
  const lines = machine.stdout.split('\n');
  const dropped = 'Dropped privileges to keytrustee';
  expect(lines).toEqual([
    'Created the system account keytrustee',
    dropped,
    'INFO:keytrustee.server.util:Creating self-signed cert',
    expect.stringMatching(/^Initialized directory for 4096R\/[0-9A-F]{40}$/),
    'Account used to manage keytrustee:/var/lib/keytrustee:/bin/bash',
    'keytrustee:keytrustee 700 /var/lib/keytrustee',
    'keytrustee:keytrustee 700 /var/lib/keytrustee/.keytrustee',
    'keytrustee:keytrustee 700 /var/lib/keytrustee/db',
    dropped,
    'applied migration 0001-initial',
    'applied migration 0002-server',
    'PostgreSQL runs on port 11381',
    '        "name": "disaster-recov",',
    '/var/lib/keytrustee/kts_bak_kts01_example_com_…',
    dropped,
    'PostgreSQL has stopped',
    '',
  ]);
  expect(machine.status).toBe(0);
});

test.skipIf(!isRoot)('without GnuPG init says so before it makes a key', async () => {
  const machine = await inNamespace(`mount --bind /dev/null "$(command -v gpg)"
status=0; ktadmin init --confdir "$PRIVATE/kt/.keytrustee" || status=$?
ls -A "$PRIVATE/kt/.keytrustee"
exit $status`);
  expect(withoutDrop(machine.stderr)).toBe(
    'ktadmin: error: GnuPG is not installed\nktadmin: hint: apt-get install gnupg (Debian), dnf install gnupg2 (RHEL)\n',
  );
  expect(machine).toMatchObject({ status: 5, stdout: '' });
});

test.skipIf(!isRoot)(
  'root’s program below a directory that the account cannot enter works all the same',
  async () => {
    const directory = await temporaryDirectory();
    const hidden = join(directory, 'hidden');
    await mkdir(hidden, { mode: 0o700 });
    await mkdir(join(hidden, 'app'));
    onTestFinished(async () => {
      await rmdir(join(hidden, 'app'));
    });
    const port = await freePort();
    const machine = await inNamespace(
      `mount --bind "${top}" "${hidden}/app"
mkdir "$PRIVATE/bin"
for name in ktadmin keytrustee-orgtool ktbackup; do ln -s "${hidden}/app/bin/ktadmin.js" "$PRIVATE/bin/$name"; done
chmod 700 "$PRIVATE"; chown root: "$PRIVATE"
if setpriv --reuid="$ACCOUNT" --clear-groups ls "${hidden}/app" 2>/dev/null; then exit 99; fi
PATH="$PRIVATE/bin:$PATH"
ktadmin init --quiet --external-address kts01.example.com --database-port ${port} | cut -d/ -f1
ktadmin db start --quiet
trap 'ktadmin db stop --quiet' EXIT
keytrustee-orgtool --quiet add -n prod -c root@localhost
keytrustee-orgtool --quiet list | grep '"name"'
ktbackup --gpg-recipient='John Doe' --quiet --output="${directory}/out" | sed 's/_[0-9]\\{4\\}-.*/_…/'
ktadmin config check
`,
      { env: { KEYTRUSTEE_CONFDIR: join(directory, 'kt/.keytrustee'), ACCOUNT: world.account.name } },
    );
    expect(withoutDrop(machine.stderr)).toBe('no faults\n');
    expect(machine.stdout).toBe(
      `Initialized directory for 4096R\n        "name": "prod",\n${directory}/out/kts_bak_kts01_example_com_…\n`,
    );
    expect(machine.status).toBe(0);
    expect((await run('findmnt', ['-n', join(hidden, 'app')])).stdout).toBe('');
  },
);
