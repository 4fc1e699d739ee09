/** `ktadmin backup --include`: sets of a client's directories, on a host without a server. */
import {
  appendFile,
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { type Client, clientHost } from '../../support/client.ts';
import { refusal, said } from '../../support/refusal.ts';
import { checksums, isRoot, run, testServer, world } from '../../support/sandbox.ts';
import { setsIn } from '../../support/sets.ts';

interface ClientManifestText {
  fingerprint: string;
  key: string;
  sequence: number;
  directories: string[];
  excluded: string[];
  recipients: { fingerprint: string }[];
  members: {
    path: string;
    type: string;
    mode: string;
    owner: string;
    group: string;
    sha256: string | null;
  }[];
}

/** Unpacks a set in clear by GNU tar, and reads its manifest by gpg with the key that is in it. */
async function unpacked(client: Client, set: string) {
  const root = join(client.directory, 'unpacked');
  await rm(root, { recursive: true, force: true });
  await mkdir(root);
  const done = await run('tar', ['-xpf', set, '-C', root]);
  expect(done).toMatchObject({ status: 0, stderr: '' });
  const names = (await run('tar', ['-tf', set])).stdout.trimEnd().split('\n');
  const home = await mkdir(join(client.directory, 'gnupg'), { recursive: true }).then(() =>
    join(client.directory, 'gnupg'),
  );
  await chmod(home, 0o700);
  const signed = join(root, names.at(-1) ?? '');
  const keys = ['--no-default-keyring', '--keyring', signed.replace('.manifest.asc', '.pubring.kbx')];
  const args = ['--homedir', home, '--batch', '--status-fd', '2', '--trust-model', 'always', ...keys];
  const verified = await run('gpg', [...args, '--decrypt', signed]);
  return {
    root,
    names,
    signature: verified.stderr,
    manifest: JSON.parse(verified.stdout) as ClientManifestText,
  };
}

async function madeBy(client: Client, ...args: string[]): Promise<string> {
  const made = await client.backup(['--cleartext', '-q', ...args]);
  expect(made.status, made.stderr).toBe(0);
  return made.stdout.trim();
}

test('the first set makes a key of this host and tells its fingerprint; the next one is signed by the same', async () => {
  const client = await clientHost({ newKey: true });
  const first = await client.backup(['--gpg-recipient=John Doe', '--quiet']);
  expect(first.status, first.stderr).toBe(0);
  const told =
    /WARNING - Made the key (4096R\/[0-9A-F]{40}) in (\S+), which signs this host's sets; write its fingerprint down/;
  expect(told.exec(first.stderr)?.slice(2)).toEqual([client.signingHome]);
  expect(first.stdout).toMatch(
    new RegExp(
      `^${client.output}/ktc_bak_[a-z0-9_-]+_\\d{4}-\\d\\d-\\d\\d_\\d\\d-\\d\\d-\\d\\d\\.tar\\.gpg\n$`,
    ),
  );
  const { mode, uid } = await lstat(first.stdout.trim());
  expect([mode & 0o777, uid]).toEqual([0o600, process.getuid?.()]);
  for (const place of [client.signingHome, client.output])
    expect((await lstat(place)).mode & 0o777).toBe(0o700);

  const second = await client.backup();
  expect(second.stderr).not.toContain('Made the key');
  const { manifest, signature } = await unpacked(client, second.stdout.trim());
  const fingerprint = told.exec(first.stderr)?.[1] ?? '';
  expect(manifest).toMatchObject({ fingerprint, sequence: 2, directories: [client.navencrypt, client.kms] });
  expect(signature).toMatch(new RegExp(`^\\[GNUPG:\\] VALIDSIG .*${fingerprint.slice(6)}$`, 'm'));
  expect(JSON.parse((await client.backup(['--cleartext', '--json', '-q'])).stdout)).toMatchObject({
    sequence: 3,
    encrypted: false,
    deleted: [],
  });
});

test('stock tar brings every file back as it was; what is no file or of no use is listed', async () => {
  const client = await clientHost();
  const warned = await client.backup();
  const left = (...names: string[]) => names.map((name) => join(client.navencrypt, name));
  for (const path of left('dangling', 'fifo'))
    expect(warned.stderr).toContain(`WARNING - Leaving out ${path}\n`);
  expect(warned.stderr.match(/Leaving out/g)).toHaveLength(2);
  const { root, names, manifest } = await unpacked(client, warned.stdout.trim());
  const inside = (path: string) => join(root, path);
  expect(manifest.excluded.toSorted()).toEqual(
    [
      ...left('dangling', 'fifo'),
      ...['.#lk0x1.host.7', 'S.gpg-agent', 'pubring.kbx.lock', 'random_seed'].map((name) =>
        join(client.kms, name),
      ),
    ].toSorted(),
  );
  expect(names.slice(0, -2)).toEqual(
    [
      `${client.navencrypt}/`,
      ...left('keytrustee/', 'keytrustee/ztrustee.conf', 'link', 'mount.lock', 'same file'),
      ...['/', '/private-keys-v1.d/', '/private-keys-v1.d/A.key', '/pubring.kbx'].map(
        (name) => client.kms + name,
      ),
    ].map((path) => path.slice(1)),
  );
  for (const name of ['keytrustee/ztrustee.conf', 'link', 'mount.lock', 'same file'])
    expect(await readFile(inside(join(client.navencrypt, name)))).toEqual(
      await readFile(join(client.navencrypt, name)),
    );
  expect(await readFile(inside(join(client.kms, 'private-keys-v1.d/A.key')), 'utf8')).toBe('secret');
  const modes = await Promise.all(
    ['', 'keytrustee/ztrustee.conf', 'link'].map((name) => lstat(inside(join(client.navencrypt, name)))),
  );
  expect(modes.map(({ mode }) => mode & 0o7777)).toEqual([0o750, 0o640, 0o604]);
  const own = manifest.members.filter(({ path }) => !path.startsWith(client.directory.slice(1)));
  expect(own).toEqual([]);
});

test.skipIf(!isRoot)(
  'owners and groups are kept by their names; set-user-id is not kept (needs root)',
  async () => {
    const client = await clientHost();
    const file = join(client.kms, 'pubring.kbx');
    await chown(file, world.account.uid, 0);
    await chmod(file, 0o4750);
    await chown(join(client.kms, 'private-keys-v1.d'), 54_321, 54_322);
    const { manifest } = await unpacked(client, await madeBy(client));
    const member = (path: string) => manifest.members.find((each) => each.path === path.slice(1));
    expect(member(file)).toMatchObject({ owner: world.account.name, group: 'root', mode: '0750' });
    expect(member(join(client.kms, 'private-keys-v1.d'))).toMatchObject({ owner: '#54321', group: '#54322' });
  },
);

test('an encrypted set holds the same, and only the recipient reads it', async () => {
  const client = await clientHost();
  const made = await client.backup(['--gpg-recipient=doe@example.com', '-q']);
  const clear = join(client.directory, 'clear.tar');
  const decrypted = await run('gpg', [
    '--homedir',
    world.administrator,
    '--batch',
    '-o',
    clear,
    '-d',
    made.stdout.trim(),
  ]);
  expect(decrypted.status, decrypted.stderr).toBe(0);
  const { manifest } = await unpacked(client, clear);
  expect(manifest.recipients).toHaveLength(1);
  expect(manifest.members.length).toBeGreaterThan(8);
});

test('--roll deletes older sets of these directories alone, never those of a server of the same name', async () => {
  const client = await clientHost();
  const first = await madeBy(client);
  const strangers = [
    'ktc_bak_other_2020-01-01_00-00-00.tar',
    first.replace('ktc_bak_', 'kts_bak_').split('/').at(-1) ?? '',
  ];
  for (const name of strangers) await writeFile(join(client.output, name), 'x');
  const second = await madeBy(client);
  const third = await madeBy(client, '--roll=2');
  const kept = [second, third, ...strangers.map((name) => join(client.output, name))];
  expect((await setsIn(client.output)).map((name) => join(client.output, name)).toSorted()).toEqual(
    kept.toSorted(),
  );
  expect(await readdir(client.output)).not.toContain(`${first.split('/').at(-1)}.receipt.asc`);
});

test('--roll counts a set in clear that has lost its receipt by its manifest', async () => {
  const client = await clientHost();
  const first = await madeBy(client);
  const second = await madeBy(client);
  await rm(`${second}.receipt.asc`);
  const third = await madeBy(client, '--roll=2');
  expect((await setsIn(client.output)).toSorted()).toEqual(
    [second, third].map((path) => basename(path)).toSorted(),
  );
  expect(first).not.toBe(second);
});

test('what changes for as long as it is read makes no set', async () => {
  const client = await clientHost();
  const file = join(client.navencrypt, 'log');
  await writeFile(file, '');
  let isOver = false;
  const running = client.backup().finally(() => (isOver = true));
  const write = async () => {
    while (!isOver) await appendFile(file, 'x'.repeat(1000));
  };
  const [outcome] = await Promise.all([running, write()]);
  expect(outcome.status).toBe(1);
  expect(outcome.stderr).toContain(
    'keeps changing while it is read\nktadmin: hint: run the backup again when nothing changes it\n',
  );
  expect(await setsIn(client.output)).toEqual([]);
});

test('refuses what it cannot back up, before anything is made', async () => {
  const client = await clientHost();
  const before = await checksums(client.directory);
  const at = (name: string) => join(client.directory, name);
  await symlink(client.kms, at('linked'));
  const base = ['--cleartext', '-q', '--signing-home', client.signingHome];
  const attempt = async (...args: string[]) => said(await client.ktadmin(['backup', ...base, ...args]));
  const sets = ['--output', at('never')];
  expect(await attempt('--include', at('none'), ...sets)).toEqual(refusal(5, `${at('none')} does not exist`));
  expect(await attempt('--include', at('outside'), ...sets)).toEqual(
    refusal(6, `${at('outside')} is not a directory`),
  );
  expect(await attempt('--include', at('linked'), ...sets)).toEqual(
    refusal(6, `${at('linked')} is a symbolic link`, 'name the directory that it points to'),
  );
  const twice = ['--include', client.kms, '--include', join(client.kms, 'private-keys-v1.d')];
  expect(await attempt(...twice, ...sets)).toEqual(
    refusal(2, `${join(client.kms, 'private-keys-v1.d')} is in the set already, with ${client.kms}`),
  );
  expect(await attempt('--include', client.kms, '--output', join(client.kms, 'sets'))).toEqual(
    refusal(2, `${join(client.kms, 'sets')} lies in ${client.kms}, which is what is backed up`),
  );
  expect(await attempt('--include', client.kms)).toEqual(
    refusal(2, 'with --include, say where the set is put: give --output'),
  );
  expect(said(await client.ktadmin(['backup', '--include', client.kms, ...sets]))).toEqual(
    refusal(
      2,
      'a backup is encrypted: give --gpg-recipient',
      'to write it in clear text, say so: --cleartext',
    ),
  );
  await rm(at('linked'));
  await rm(at('never'), { recursive: true, force: true });
  expect(await checksums(client.directory)).toBe(before);
});

test('only one run at a time', async () => {
  const client = await clientHost();
  const outcomes = await Promise.all([client.backup(), client.backup(), client.backup()]);
  const statuses = outcomes.map(({ status }) => status).toSorted();
  expect(statuses).toContain(0);
  expect(statuses.filter((status) => status !== 0 && status !== 75)).toEqual([]);
  expect(await setsIn(client.output)).toHaveLength(statuses.filter((status) => status === 0).length);
});

test('beside a server it says that the server is not in the set', async () => {
  const client = await clientHost();
  const server = await testServer({ start: false });
  const made = await client.backup(['--cleartext', '-q'], { env: { KEYTRUSTEE_CONFDIR: server.confdir } });
  expect(made.status).toBe(0);
  expect(made.stderr).toContain(
    'ktadmin: warning: this set holds the included directories alone; the server here needs a backup of its own\n',
  );
});
