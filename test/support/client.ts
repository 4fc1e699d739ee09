/** A client's host in tests: directories as Navigator Encrypt and a KMS have them, and no server. */
import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { kt, type Outcome, type RunOptions, run, temporaryDirectory, world } from './sandbox.ts';

/** A host with directories to back up. Everything is the caller's own. */
export interface Client {
  directory: string;
  /** Two directories with what is usual and unusual in them. */
  navencrypt: string;
  kms: string;
  output: string;
  signingHome: string;
  /** Runs `ktadmin backup --include …` with both directories. */
  backup(args?: string[], options?: RunOptions): Promise<Outcome>;
  ktadmin(args: string[], options?: RunOptions): Promise<Outcome>;
}

/** What a KMS keeps: a GnuPG home, with what GnuPG leaves in it. */
async function makeGnupgHome(home: string): Promise<void> {
  await mkdir(join(home, 'private-keys-v1.d'), { recursive: true, mode: 0o700 });
  await chmod(home, 0o700);
  await writeFile(join(home, 'pubring.kbx'), 'public', { mode: 0o600 });
  await writeFile(join(home, 'private-keys-v1.d', 'A.key'), 'secret', { mode: 0o600 });
  for (const name of ['random_seed', 'pubring.kbx.lock', '.#lk0x1.host.7'])
    await writeFile(join(home, name), 'x');
  const socket = createServer();
  onTestFinished(() => void socket.close());
  await new Promise<void>((resolve) => socket.listen(join(home, 'S.gpg-agent'), resolve));
}

/** A signing key that other hosts of this test file have already: making one takes seconds. */
let made: string | undefined;

/** Makes a client's host; with `newKey`, one that has no signing key yet. */
export async function clientHost({ newKey = false } = {}): Promise<Client> {
  const directory = await temporaryDirectory();
  const at = (name: string) => join(directory, name);
  const [navencrypt, kms, signingHome] = [at('etc/navencrypt'), at('kms/.keytrustee'), at('signing')];
  await mkdir(join(navencrypt, 'keytrustee'), { recursive: true });
  await chmod(navencrypt, 0o750);
  await writeFile(join(navencrypt, 'keytrustee', 'ztrustee.conf'), '{"LOCAL_FINGERPRINT": "x"}\n');
  await chmod(join(navencrypt, 'keytrustee', 'ztrustee.conf'), 0o640);
  await writeFile(join(navencrypt, 'mount.lock'), 'no GnuPG home: this is kept\n', { mode: 0o600 });
  await writeFile(at('outside'), 'from outside\n', { mode: 0o604 });
  await symlink(at('outside'), join(navencrypt, 'link'));
  await symlink('nowhere', join(navencrypt, 'dangling'));
  await link(join(navencrypt, 'mount.lock'), join(navencrypt, 'same file'));
  execFileSync('mkfifo', [join(navencrypt, 'fifo')]);
  await makeGnupgHome(kms);
  if (!newKey && made !== undefined) await run('cp', ['-a', made, signingHome]);
  const keyring = join(world.directory, 'home', '.gnupg');
  const words = [
    '--include',
    navencrypt,
    '--include',
    kms,
    '--output',
    at('sets'),
    '--signing-home',
    signingHome,
  ];
  const env = { KEYTRUSTEE_CONFDIR: at('no-server'), GNUPGHOME: keyring };
  const ktadmin = (args: string[], options: RunOptions = {}) =>
    kt('ktadmin', args, { ...options, env: { ...env, ...options.env } });
  const backup = (args = ['--cleartext', '-q'], options: RunOptions = {}) =>
    ktadmin(['backup', ...words, ...args], options);
  const client = { directory, navencrypt, kms, output: at('sets'), signingHome, backup, ktadmin };
  if (!newKey && made === undefined) {
    const first = await ktadmin([
      'backup',
      '--include',
      kms,
      '--cleartext',
      '-q',
      '--output',
      at('first'),
      '--signing-home',
      signingHome,
    ]);
    if (first.status !== 0) throw new Error(first.stderr);
    made = join(world.directory, `signing-${process.pid}`);
    await run('cp', ['-a', signingHome, made]);
  }
  return client;
}
