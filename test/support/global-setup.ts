import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findPostgres } from '../../src/lib/database/binaries.ts';
import { mountMemory, unmountMemory } from './memory.ts';
import type { World } from './world.ts';

const top = join(import.meta.dirname, '..', '..');
const NAMES = ['ktadmin', 'keytrustee-orgtool', 'ktbackup', 'ktbackup.sh', 'keytrustee-server', 'keytrustee'];

const KEY = `%no-protection
Key-Type: RSA
Key-Length: 2048
Subkey-Type: RSA
Subkey-Length: 2048
Name-Real: John Doe
Name-Email: doe@example.com
Expire-Date: 0
%commit
`;

function quiet(file: string, args: string[], options: object = {}): string {
  return execFileSync(file, args, {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: '/',
    ...options,
  });
}

/** As root, the service account of this run: a system account of its own, so that the machine's is never touched. */
function makeAccount(directory: string): { name: string; uid: number; gid: number } {
  if (process.getuid?.() !== 0) {
    const { username, uid, gid } = userInfo();
    return { name: username, uid, gid };
  }
  const name = `kt-${directory.slice(-6).toLowerCase()}`;
  quiet('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    join(directory, 'home'),
    name,
  ]);
  return { name, uid: Number(quiet('id', ['-u', name])), gid: Number(quiet('id', ['-g', name])) };
}

function owned(path: string, account: { uid: number; gid: number }): string {
  mkdirSync(path, { mode: 0o700, recursive: true });
  if (process.getuid?.() === 0) chownSync(path, account.uid, account.gid);
  return path;
}

function as(account: { name: string }, file: string, args: string[], options: object = {}): string {
  return process.getuid?.() === 0
    ? quiet(
        'setpriv',
        [`--reuid=${account.name}`, `--regid=${account.name}`, '--init-groups', file, ...args],
        options,
      )
    : quiet(file, args, options);
}

/** A server that was initialized once; tests work on copies of it, because its key takes seconds to make. */
function makeTemplate(world: World): void {
  const { directory, bin, account } = world;
  const root = owned(join(directory, 'template'), account);
  const env = { PATH: process.env.PATH, HOME: join(directory, 'home'), KTADMIN_USER: account.name };
  const place = ['--confdir', join(root, '.keytrustee'), '--pg-rootdir', join(root, 'db')];
  const ktadmin = join(bin, 'ktadmin');
  quiet(
    ktadmin,
    ['init', ...place, '--external-address', 'kts01.example.com', '--database-port', String(world.port)],
    { env },
  );
  quiet(ktadmin, ['db', 'start', '--pg-rootdir', join(root, 'db')], { env });
  quiet(ktadmin, ['db', 'stop', '--pg-rootdir', join(root, 'db')], { env });
}

/** The program under all its names: a copy that every account can read, wherever the checkout lies. */
function install(directory: string): string {
  const program = join(directory, 'program');
  const bin = join(directory, 'bin');
  for (const part of ['bin', 'dist', 'package.json']) {
    cpSync(join(top, part), join(program, part), { recursive: true });
  }
  quiet('chmod', ['-R', 'a+rX', program]);
  mkdirSync(bin);
  chmodSync(bin, 0o755);
  for (const name of NAMES) symlinkSync(join(program, 'bin', 'ktadmin.js'), join(bin, name));
  return bin;
}

function fill(world: World): void {
  const { account, administrator, directory } = world;
  mkdirSync(administrator, { mode: 0o700 });
  quiet('gpg', ['--homedir', administrator, '--batch', '--gen-key'], { input: KEY });
  const publicKey = quiet('gpg', ['--homedir', administrator, '--armor', '--export', 'John Doe']);
  writeFileSync(join(directory, 'john.asc'), publicKey);
  owned(join(directory, 'home'), account);
  const keyring = owned(join(directory, 'home', '.gnupg'), account);
  as(account, 'gpg', ['--homedir', keyring, '--batch', '--import'], { input: publicKey });
  makeTemplate(world);
}

const SHARED_MEMORY = '/dev/shm';

/** libfaketime leaves a semaphore and its memory behind where a program began as root and became another account. */
function sweepClocks(since: number): void {
  if (!existsSync(SHARED_MEMORY)) return;
  for (const name of readdirSync(SHARED_MEMORY)) {
    const [, pid] = /^(?:sem\.)?faketime_(?:sem|shm)_(\d+)$/.exec(name) ?? [];
    const path = join(SHARED_MEMORY, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    const isOurs = stats !== undefined && stats.uid === process.getuid?.() && stats.ctimeMs >= since;
    if (pid !== undefined && isOurs && !existsSync(`/proc/${pid}`)) rmSync(path, { force: true });
  }
}

/** Makes what all tests share, and takes all of it away afterwards: directory, account, keys, template server. */
export default async function globalSetup(project: TestProject): Promise<() => void> {
  const since = Date.now();
  const directory = mkdtempSync('/tmp/kt-');
  const isMounted = mountMemory(directory);
  chmodSync(directory, 0o755);
  const account = makeAccount(directory);
  const administrator = join(directory, 'admin');
  const tearDown = () => {
    const keyring = join(directory, 'home', '.gnupg');
    if (existsSync(administrator)) quiet('gpgconf', ['--homedir', administrator, '--kill', 'all']);
    if (existsSync(keyring)) as(account, 'gpgconf', ['--homedir', keyring, '--kill', 'all']);
    if (isMounted) unmountMemory(directory);
    rmSync(directory, { recursive: true, force: true });
    sweepClocks(since);
    if (process.getuid?.() === 0) quiet('userdel', [account.name]);
  };
  try {
    const port = 20_000 + (process.pid % 20_000);
    const postgres = (await findPostgres()).directory;
    const world: World = { directory, bin: install(directory), account, port, postgres, administrator };
    fill(world);
    project.provide('world', world);
    return tearDown;
  } catch (error) {
    tearDown();
    throw error;
  }
}
