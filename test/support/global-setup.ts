import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
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

/** Makes what all tests share, and takes all of it away afterwards: directory, account, keys, template server. */
export default function globalSetup(project: TestProject): () => void {
  const directory = mkdtempSync('/tmp/kt-');
  chmodSync(directory, 0o755);
  const account = makeAccount(directory);
  const bin = join(directory, 'bin');
  const world: World = {
    directory,
    bin,
    account,
    port: 20_000 + (process.pid % 20_000),
    administrator: join(directory, 'admin'),
  };
  mkdirSync(bin, { mode: 0o755 });
  for (const name of NAMES) symlinkSync(join(top, 'bin', 'ktadmin.js'), join(bin, name));
  mkdirSync(world.administrator, { mode: 0o700 });
  quiet('gpg', ['--homedir', world.administrator, '--batch', '--gen-key'], { input: KEY });
  const publicKey = quiet('gpg', ['--homedir', world.administrator, '--armor', '--export', 'John Doe']);
  writeFileSync(join(directory, 'john.asc'), publicKey);
  owned(join(directory, 'home'), account);
  const keyring = owned(join(directory, 'home', '.gnupg'), account);
  as(account, 'gpg', ['--homedir', keyring, '--batch', '--import'], { input: publicKey });
  makeTemplate(world);
  project.provide('world', world);
  return () => {
    for (const home of [world.administrator, keyring]) {
      as(home === keyring ? account : { name: 'root' }, 'gpgconf', ['--homedir', home, '--kill', 'all']);
    }
    rmSync(directory, { recursive: true, force: true });
    if (process.getuid?.() === 0) quiet('userdel', [account.name]);
  };
}
