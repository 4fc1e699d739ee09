/** The wrong user: status 4, the exact line that works, and no secret in it. */
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { refusal } from '../../support/refusal.ts';
import { isRoot, type Outcome, type RunOptions, run, testServer, world } from '../../support/sandbox.ts';

const nobody = ['--reuid=nobody', '--regid=nogroup', '--clear-groups'];

function asNobody(program: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  return run('setpriv', [...nobody, join(world.bin, program), ...args], options);
}

/** A checkout below a directory that is closed to others cannot be run by nobody at all. */
const isReadable =
  isRoot && (await run('setpriv', [...nobody, 'test', '-r', join(world.bin, 'ktadmin')])).status === 0;

/** A server whose place nobody can reach, though not enter. */
async function reachable() {
  const server = await testServer({ start: false });
  await chmod(server.directory, 0o755);
  return server;
}

test.skipIf(!isReadable).each([
  ['ktadmin', ['db', 'start']],
  ['ktadmin', ['db', 'stop']],
  ['ktadmin', ['db', 'status']],
  ['ktadmin', ['db', 'psql', '--', '-c', "select 'x y'"]],
  ['ktadmin', ['init']],
  ['ktadmin', ['config', 'show']],
  ['ktadmin', ['config', 'check']],
  ['keytrustee-orgtool', ['list']],
] as [string, string[]][])(
  '%s %j by another account is refused with the sudo line',
  async (program, words) => {
    const { confdir } = await reachable();
    const [first = '', ...rest] = words;
    const args = [first, '--confdir', confdir, ...rest];
    const typed = args
      .map((word) => (/['\s]/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : word))
      .join(' ');
    expect(await asNobody(program, args)).toMatchObject(
      refusal(
        4,
        `${confdir} belongs to ${world.account.name}, not to nobody`,
        `sudo -u ${world.account.name} ${program} ${typed}`,
      ),
    );
  },
);

test.skipIf(!isReadable)('the line that is shown works', async () => {
  const { confdir } = await reachable();
  const refused = await asNobody('ktadmin', ['--confdir', confdir, 'config', 'show']);
  const words = (/sudo -u (.*)\n$/.exec(refused.stderr)?.[1] ?? '').split(' ');
  expect(words).toEqual([world.account.name, 'ktadmin', '--confdir', confdir, 'config', 'show']);
  const account = ['--reuid', world.account.name, '--regid', world.account.name, '--init-groups'];
  const shown = await run('setpriv', [...account, ...words.slice(1)]);
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout).toContain('LOCAL_FINGERPRINT');
});

test.skipIf(!isReadable)('a secret on the line is left out of it', async () => {
  const { confdir } = await reachable();
  for (const secret of [['-s', 's3cr3t'], ['-ss3cr3t'], ['--secret', 's3cr3t'], ['--secret=s3cr3t']]) {
    const refused = await asNobody('keytrustee-orgtool', [
      '--confdir',
      confdir,
      'set-auth',
      '-n',
      'prod',
      ...secret,
    ]);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toContain(
      `sudo -u ${world.account.name} keytrustee-orgtool --confdir ${confdir} set-auth -n prod`,
    );
    expect(refused.stderr).not.toContain('s3cr3t');
  }
});

test.skipIf(!isReadable)('a configuration that cannot even be reached is root’s affair', async () => {
  const { confdir } = await testServer({ start: false });
  expect(await asNobody('ktadmin', ['db', 'start', '--confdir', confdir])).toMatchObject(
    refusal(4, `${confdir} cannot be reached by nobody`, `sudo ktadmin db start --confdir ${confdir}`),
  );
});

test.skipIf(!isReadable)('where nobody may make a directory, init says what root must do', async () => {
  const confdir = join(dirname(world.bin), 'nobodys', '.keytrustee');
  expect(await asNobody('ktadmin', ['init', '--confdir', confdir])).toMatchObject(
    refusal(4, `${confdir} cannot be made by nobody`, `as root: install -d -m 700 -o nobody ${confdir}`),
  );
});

test.skipIf(isRoot)('a directory of root is refused with the sudo line', async () => {
  expect(await run('ktadmin', ['db', 'status', '--confdir', '/usr'])).toMatchObject(
    refusal(4, `/usr belongs to root, not to ${world.account.name}`, 'sudo ktadmin db status --confdir /usr'),
  );
});

test.skipIf(!isReadable)(
  'the line names the configuration where only the environment did, which sudo drops',
  async () => {
    const { confdir } = await reachable();
    const refused = await asNobody('keytrustee-orgtool', ['list'], { env: { KEYTRUSTEE_CONFDIR: confdir } });
    expect(refused.stderr).toContain(
      `ktadmin: hint: sudo -u ${world.account.name} keytrustee-orgtool --confdir ${confdir} list\n`,
    );
  },
);
