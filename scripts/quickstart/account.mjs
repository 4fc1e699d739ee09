// Which account the quickstart's server belongs to. PostgreSQL refuses to run as root, so root needs another one.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long an account tool is tried again: another run holds the lock, or a process of the account is just ending. */
const PATIENCE = 10_000;

function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', cwd: '/' });
  return { status, stdout: stdout ?? '', words: error?.message ?? stderr.trim() };
}

async function runPatiently(program, args) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const result = run(program, args);
    if (result.status === 0) return;
    if (result.status === null || Date.now() > deadline) throw new Error(`${program}: ${result.words}`);
    await sleep(100);
  }
}

/**
 * Oneself, or for root the machine's `keytrustee` where there is one, or a system account made for this run. `isOurs`
 * says that it has to be removed again.
 */
export async function chooseAccount(home) {
  if (process.getuid() !== 0) {
    const { username: name, uid, gid } = userInfo();
    return { name, uid, gid, isOurs: false };
  }
  const present = find('keytrustee');
  if (present !== undefined) return { ...present, isOurs: false };
  const name = `ktq-${randomBytes(4).toString('hex')}`;
  const options = ['--system', '--user-group', '--no-create-home', '--home-dir', home];
  await runPatiently('useradd', [...options, name]).catch((error) => {
    const advice = 'make an account keytrustee yourself, or run this as an ordinary user';
    throw new Error(
      `no account could be made for PostgreSQL, which refuses root (${error.message}); ${advice}`,
    );
  });
  return { ...find(name), isOurs: true };
}

function find(name) {
  const [uid, gid] = ['-u', '-g'].map((option) => run('id', [option, name]));
  return uid.status === 0 ? { name, uid: Number(uid.stdout), gid: Number(gid.stdout) } : undefined;
}

/** Removes an account that this run made, and its group. */
export async function removeAccount(name) {
  await runPatiently('userdel', [name]);
}
