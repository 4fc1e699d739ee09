/** `cert request` and `cert self-sign`: the caller's file, crashes, full disks, and two at once. */
import { createPrivateKey } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keepPending, pendingFiles, readPending } from '../../../src/lib/certificates/pending.ts';
import { withLock } from '../../../src/lib/core/lock.ts';
import { newPrivateKey } from '../../../src/lib/tls/new-key.ts';
import { smallDisk } from '../../support/disk.ts';
import { give, tree } from '../../support/faults.ts';
import { refusal, said } from '../../support/refusal.ts';
import {
  isRoot,
  type RunOptions,
  run,
  type TestServer,
  temporaryDirectory,
  testServer,
} from '../../support/sandbox.ts';

let server: TestServer;
let pending = '';
const cert = (args: string[], options?: RunOptions) => server.ktadmin(['cert', ...args], options);

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  server = await testServer({ start: false, atEnd: (cleanUp) => cleanUps.push(cleanUp) });
  pending = join(server.confdir, '.ssl/pending');
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

beforeEach(() => rm(pending, { recursive: true, force: true }));

/** What Debian 13's Node does: it refuses to change its identity. */
const REFUSAL = ['setuid', 'setgid', 'seteuid', 'setegid', 'setgroups', 'initgroups']
  .map((name) => `process.${name}=()=>{throw new Error('no')}`)
  .join(';');
const REFUSING = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(REFUSAL)}` };

/** A directory that only the caller can enter. */
async function ownDirectory(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'own');
  await mkdir(directory, { mode: 0o700 });
  return directory;
}

describe('--out', () => {
  test.each([{}, REFUSING])(
    'the request lies in a file of the caller, which is replaced whole: %j',
    async (env) => {
      const out = join(await ownDirectory(), 'kts01.csr');
      const made = await cert(['request', '--new-key', 'p256', '--out', out], { env });
      expect(made).toMatchObject({ status: 0, stdout: '' });
      expect(await readFile(out, 'utf8')).toBe(await readFile(join(pending, 'request.csr'), 'utf8'));
      expect((await lstat(out)).uid).toBe(process.getuid?.());
      await writeFile(out, 'x'.repeat(10_000));
      const again = await cert(['request', '--json', '--out', out], { env });
      expect(JSON.parse(again.stdout)).toMatchObject({ out, request: await readFile(out, 'utf8') });
    },
  );

  test('what is no plain file of the caller stays as it is', async () => {
    const directory = await ownDirectory();
    await writeFile(join(directory, 'file'), 'kept\n');
    await symlink('file', join(directory, 'link'));
    await mkdir(join(directory, 'directory'));
    await writeFile(join(directory, 'foreign'), 'kept\n');
    if (isRoot) await give(join(directory, 'foreign'));
    const before = await tree(directory);
    for (const name of ['link', 'directory', ...(isRoot ? ['foreign'] : [])]) {
      const out = join(directory, name);
      expect(said(await cert(['request', '--out', out]))).toEqual(
        refusal(6, `${out} is there, and is no plain file of yours`, 'name another file'),
      );
    }
    expect(await tree(directory)).toBe(before);
    expect(await readFile(join(directory, 'file'), 'utf8')).toBe('kept\n');
    expect(await readdir(join(server.confdir, '.ssl'))).not.toContain('pending');
  });

  test('a file that was there keeps what it held when no request is made, and an empty one is told', async () => {
    const directory = await ownDirectory();
    const [old, fresh] = [join(directory, 'old'), join(directory, 'fresh')];
    await writeFile(old, 'kept\n');
    await cert(['request', '--new-key', 'p256', '--quiet']);
    const refused = ['request', '--new-key', 'p384', '--out'];
    expect((await cert([...refused, old])).status).toBe(6);
    expect(await readFile(old, 'utf8')).toBe('kept\n');
    const outcome = await cert([...refused, fresh]);
    expect(outcome.status).toBe(6);
    expect(outcome.stderr.includes(`ktadmin: warning: ${fresh} was made, and is empty\n`)).toBe(isRoot);
    expect(await readdir(directory)).toEqual(isRoot ? ['fresh', 'old'] : ['old']);
  });
});

test('two at once: the second is told', async () => {
  const [first, second] = await withLock(server.confdir, 'certificate command', () =>
    Promise.all([cert(['request']), cert(['self-sign'])]),
  );
  const message = `another certificate command is at work in ${server.confdir}`;
  expect(said(first)).toEqual(refusal(75, message, 'wait until it has ended'));
  expect(said(second)).toEqual(refusal(75, message, 'wait until it has ended'));
});

test.each([
  ['request', 'cert-discarded'],
  ['request', 'cert-key-kept'],
  ['request', 'cert-request-kept'],
  ['self-sign', 'cert-key-kept'],
  ['self-sign', 'cert-certificate-kept'],
])('cert %s killed at %s: what waits is whole, and a rerun finishes with it', async (verb, step) => {
  const killed = await cert([verb, '--new-key', 'p256'], { env: { KTADMIN_KILL_AT: step } });
  expect(killed.signal ?? killed.status).toBe('SIGKILL');
  const { key } = pendingFiles(join(server.confdir, '.ssl'));
  const left = await readFile(key, 'utf8').catch(() => undefined);
  expect(left === undefined).toBe(step === 'cert-discarded');
  expect(await cert([verb, '--new-key', 'p256', '--quiet'])).toMatchObject({ status: 0 });
  const now = await readFile(key, 'utf8');
  expect(now).toBe(left ?? now);
  expect(createPrivateKey(now).asymmetricKeyType).toBe('ec');
});

test('what a killed run left half-written is swept, and a key never takes the place of another', async () => {
  const ssl = await temporaryDirectory();
  const files = pendingFiles(ssl);
  await mkdir(files.directory);
  await writeFile(join(files.directory, '.new-abc'), 'half');
  const first = await newPrivateKey('p256');
  await keepPending(ssl, 'key', first);
  await expect(keepPending(ssl, 'key', await newPrivateKey('p256'))).rejects.toThrow(
    `${files.key} exists already`,
  );
  expect(await readdir(files.directory)).toEqual(['ssl-cert-keytrustee-pk.pem']);
  const { key } = await readPending(ssl);
  expect(Buffer.from(key?.data ?? '', 'base64').toString()).toBe(first);
});

test.skipIf(!isRoot)('a full disk leaves nothing half, and the trail says that it failed', async () => {
  const own = await testServer({ start: false });
  const disk = await smallDisk('200k');
  const ssl = join(own.confdir, '.ssl');
  await run('cp', ['-a', `${ssl}/.`, disk.directory]);
  await rm(ssl, { recursive: true });
  await symlink(disk.directory, ssl);
  await disk.fill();
  const before = await tree(disk.directory);
  for (const verb of ['request', 'self-sign'])
    expect(said(await own.ktadmin(['cert', verb, '--new-key', 'p256']))).toEqual(
      refusal(
        1,
        `${join(ssl, 'pending')}: no space left on device`,
        'free some space and run the command again',
      ),
    );
  expect(await tree(disk.directory)).toBe(before);
  const { stdout } = await own.ktadmin(['audit', 'show']);
  expect(stdout).toMatch(/certificate[.]self-sign .*origin=new .*failed/);
  await disk.free();
  expect(await own.ktadmin(['cert', 'request', '--quiet'])).toMatchObject({ status: 0 });
});
