import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'vitest';
import { inNamespace } from '../support/faults.ts';
import { freePort, isRoot, run, temporaryDirectory, until, world } from '../support/sandbox.ts';
import { setsIn } from '../support/sets.ts';

const hasCron = existsSync('/usr/sbin/cron');
const inPath = spawnSync('env', ['-i', 'PATH=/usr/bin:/bin', 'node', '--version']).status === 0;

/** A copy of the template server whose paths are the original's, to be mounted there. */
async function originalPlace(own: string): Promise<{ store: string; port: number }> {
  const store = join(own, 'keytrustee');
  const template = join(world.directory, 'template');
  const port = await freePort();
  await run('cp', ['-a', template, store]);
  for (const path of ['.keytrustee/keytrustee.conf', 'db/postgresql.conf']) {
    const text = await readFile(join(store, path), 'utf8');
    await writeFile(
      join(store, path),
      text.replaceAll(template, '/var/lib/keytrustee').replaceAll(String(world.port), String(port)),
    );
  }
  return { store, port };
}

/** A sendmail that keeps what cron would have mailed. */
async function mailbox(own: string): Promise<string> {
  const sendmail = join(own, 'sendmail');
  await writeFile(sendmail, `#!/bin/sh\ncat > ${own}/mail.part && mv ${own}/mail.part ${own}/mail\n`);
  await chmod(sendmail, 0o755);
  return sendmail;
}

/** Runs a real cron with the store in the original's place and its own spool, until something has come about. */
async function underCron(own: string, prepare: string, hasHappened: () => boolean): Promise<void> {
  const { store } = await originalPlace(own);
  const sendmail = await mailbox(own);
  await mkdir(join(own, 'crontabs'), { recursive: true });
  const script = `
    mount -t tmpfs -o mode=755 tmpfs /var/lib
    mkdir /var/lib/keytrustee
    mount --bind ${store} /var/lib/keytrustee
    mount --bind ${own}/crontabs /var/spool/cron/crontabs
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs tmpfs /etc/cron.d
    [ ! -e /etc/crontab ] || mount --bind /dev/null /etc/crontab
    mkdir ${own}/sbin
    mount --bind /usr/sbin ${own}/sbin
    mount -t tmpfs -o mode=755 tmpfs /usr/sbin
    ln -s ${own}/sbin/* /usr/sbin/
    ln -sf ${sendmail} /usr/sbin/sendmail
    ktadmin db start
    ${prepare}
    exec ${own}/sbin/cron -f`;
  let stop: (() => boolean) | undefined;
  const running = inNamespace(script, {
    env: { KEYTRUSTEE_CONFDIR: '', LANG: 'de_DE.UTF-8' },
    started: (child) => (stop = () => child.kill('SIGTERM')),
  });
  const ended = running.then((outcome) => {
    if (!hasHappened()) throw new Error(`cron ended: ${outcome.stderr}${outcome.stdout}`);
  });
  try {
    // A minute begins within 60 s, and `until` waits for half of one.
    const happens = async () => {
      for (let half = 0; half < 4 && !hasHappened(); half += 1)
        await until(hasHappened, 'cron has run').catch(() => undefined);
    };
    await Promise.race([happens(), ended]);
  } finally {
    stop?.();
    await running;
    await run('ktadmin', ['db', 'stop', '--pg-rootdir', join(store, 'db')]);
  }
}

test.skipIf(!isRoot || !hasCron)(
  'a crontab line of the manual, run by a real cron, makes a backup and mails its path alone (needs root and cron)',
  { concurrent: true, timeout: 200_000 },
  async ({ expect, onTestFinished }) => {
    const own = await temporaryDirectory(onTestFinished);
    const crontab = join(own, 'crontabs', world.account.name);
    await mkdir(join(own, 'crontabs'));
    const output = '/var/lib/keytrustee/backups';
    // Where Node is not in the two directories that cron searches, a crontab must say so, as for any program.
    const path = inPath ? '' : `PATH=${dirname(process.execPath)}:/usr/bin:/bin\n`;
    await writeFile(
      crontab,
      `${path}* * * * * ${world.bin}/ktbackup.sh --gpg-recipient='John Doe' --quiet --output=${output} --roll=10\n`,
    );
    await chown(crontab, world.account.uid, 0);
    await chmod(crontab, 0o600);
    await underCron(own, '', () => existsSync(join(own, 'mail')));
    const backups = join(own, 'keytrustee', 'backups');
    const sets = await setsIn(backups);
    const mail = await readFile(join(own, 'mail'), 'utf8');
    const body = mail.slice(mail.indexOf('\n\n') + 2);
    expect(body).toBe(`${output}/${sets[0]}\n`);
    expect(sets[0]).toMatch(/^kts_bak_kts01_example_com_\S+\.tar\.gpg$/);
    const { mode, uid } = await lstat(join(backups, sets[0] ?? ''));
    expect([mode & 0o777, uid]).toEqual([0o600, world.account.uid]);
  },
);

test.skipIf(!isRoot || !hasCron)(
  'the file of backup schedule in /etc/cron.d, run by a real cron, makes a backup (needs root and cron)',
  { concurrent: true, timeout: 200_000 },
  async ({ expect, onTestFinished }) => {
    const own = await temporaryDirectory(onTestFinished);
    const name = `it's 100% "safe" \\% $(false) \`false\``;
    const output = `/var/lib/keytrustee/${name}`.replaceAll("'", "'\\''");
    // Only the times are another line's, so that the test need not wait for five minutes.
    const prepare = `
      ktadmin backup schedule --every 5m --gpg-recipient 'John Doe' --roll 3 --output '${output}' --yes --quiet
      cp -p /etc/cron.d/keytrustee-backup ${own}/written
      sed -i 's|^[0-9/-]* [*] [*] [*] [*] |* * * * * |' /etc/cron.d/keytrustee-backup`;
    const place = join(own, 'keytrustee', name);
    await underCron(
      own,
      prepare,
      () => existsSync(place) && readdirSync(place).some((each) => each.endsWith('.tar.gpg')),
    );
    expect(await setsIn(place)).toEqual([expect.stringMatching(/^kts_bak_kts01_example_com_\S+\.tar\.gpg$/)]);
    const { mode, uid, gid } = await lstat(join(own, 'written'));
    expect([mode & 0o7777, uid, gid]).toEqual([0o644, 0, 0]);
  },
);
