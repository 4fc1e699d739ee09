/** `backup verify`: what it says of good sets to whom, with which status, and that it leaves nothing and changes nothing. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ALL_GOOD, CLEAR_GOOD, findings } from '../../support/checks.ts';
import { give, inNamespace } from '../../support/faults.ts';
import { keyring } from '../../support/keyring.ts';
import { refusal, said } from '../../support/refusal.ts';
import {
  asAccount,
  checksums,
  isRoot,
  kt,
  ownedDirectory,
  type RunOptions,
  run,
  sharedServer,
  temporaryDirectory,
  testServer,
  world,
} from '../../support/sandbox.ts';
import { backup } from '../../support/sets.ts';

const server = sharedServer();
let clear = '';
let encrypted = '';

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  clear = await backup(server);
  encrypted = await backup(server, '--gpg-recipient=John Doe');
});

const asAdministrator = ['--gnupg-home', world.administrator];
const verify = (words: string[], options: RunOptions = {}) => server.ktbackup(['verify', ...words], options);
const told = async (words: string[], options: RunOptions = {}) => {
  const outcome = await verify(['--json', ...words], options);
  return { status: outcome.status, ...findings(outcome) };
};

/** Copies a set without its receipt, for those to read who run the tests. */
async function alone(set: string): Promise<string> {
  const copy = join(await temporaryDirectory(), basename(set));
  await copyFile(set, copy);
  return give(copy);
}

/** The same with its receipt. */
async function together(set: string): Promise<string> {
  const copy = await alone(set);
  await copyFile(`${set}.receipt.asc`, `${copy}.receipt.asc`);
  await give(`${copy}.receipt.asc`);
  return copy;
}

const UNDECRYPTED = 'not checked: the set was not decrypted';
const WITHOUT = 'not checked: there is none beside the set';
const INSIDE = { archive: UNDECRYPTED, manifest: UNDECRYPTED, members: UNDECRYPTED, dump: UNDECRYPTED };

test('a good set: a line for each check, a verdict, and status 0', async () => {
  const { size } = await stat(encrypted);
  const shown = said(await verify([encrypted, ...asAdministrator]));
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
  const lines = [
    `form        ok \\(encrypted, ${size} bytes\\)`,
    'container   ok \\(encrypted to [0-9A-F]{16}\\)',
    `receipt     ok \\(number 2 of ${time}, signed; size and digest of the file are its\\)`,
    'decryption  ok \\(whole, by its integrity code\\)',
    'archive     ok \\(from its first block to its last\\)',
    `manifest    ok \\(number 2 of ${time}, signed by the server that it names\\)`,
    `origin      ok \\(${server.fingerprint} of kts01.example.com\\)`,
    'members     ok \\(\\d+, each once, with its size, mode, owner and digest\\)',
    'dump        ok \\(complete: 0 client, 0 client_approval, 1 contact, 0 contact_invitation, 0 deposit, 1 organization, 2 schema_migration\\)',
    'The set is whole, and your server made it.',
  ];
  expect(shown.stdout).toMatch(new RegExp(`^${lines.join('\n')}\n$`));
  expect(await told([clear])).toEqual({ status: 0, ...CLEAR_GOOD });
});

test('without the recipient’s key the receipt proves the file, and what was not looked at is said', async () => {
  const outcome = await told([encrypted]);
  const key = /\([0-9A-F]{16}\)/.exec((outcome as Record<string, unknown>).decryption as string)?.[0];
  const decryption = `not checked: none of the recipients' secret keys is here ${key}`;
  expect(outcome).toEqual({ status: 0, ...ALL_GOOD, ...INSIDE, decryption });
  const shown = await verify([encrypted]);
  expect(shown.stdout).toMatch(/\nThe file is as your server wrote it\. It was not decrypted\.\n$/);
  const bare = await alone(encrypted);
  const nothing = { status: 3, ...ALL_GOOD, ...INSIDE, receipt: WITHOUT, decryption, origin: UNDECRYPTED };
  expect(await told([bare])).toEqual(nothing);
  expect((await verify([bare])).stdout).toMatch(
    /\nNothing is proven: it was not decrypted, and no receipt .*\n$/,
  );
});

test('a receipt is worth nothing for another file, another set, or with another text', async () => {
  const set = await together(encrypted);
  const receipt = `${set}.receipt.asc`;
  const text = await readFile(receipt, 'utf8');
  const change = async (next: string) => {
    await writeFile(receipt, next);
    return ((await told([set])) as Record<string, unknown>).receipt;
  };
  expect(await change(text)).toBe('ok');
  expect(await change(text.replace('"sequence": 2', '"sequence": 3'))).toBe(
    'failed: the signature is not good, or its key is not known',
  );
  expect(await change(text.replace(/"sha256"/, '"sha255"'))).toBe(
    'failed: it is not one that this version reads',
  );
  expect(await change('')).toBe('failed: it is not one that this version reads');
  expect(await change(await readFile(`${clear}.receipt.asc`, 'utf8'))).toBe(
    `failed: the receipt is that of ${basename(clear)}, not of ${basename(set)}`,
  );
  await change(text);
  const bytes = await readFile(set);
  bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
  await writeFile(set, bytes);
  expect(await told([set])).toMatchObject({
    status: 8,
    receipt: 'failed: the file has another digest than the server wrote',
    container: 'ok',
    decryption: expect.stringContaining('not checked'),
  });
  await writeFile(set, bytes.subarray(0, -1));
  expect(await told([set])).toMatchObject({
    status: 8,
    container: 'failed: the encrypted file is damaged: it is cut short',
    receipt: `failed: the file has ${bytes.length - 1} bytes, and the server wrote ${bytes.length}`,
  });
});

test('on a workstation without a server, as an ordinary user, the fingerprint is given', async () => {
  const scratch = await temporaryDirectory();
  const ring = await keyring(scratch, 'w');
  await ring.gpg(['--import'], {
    input: (await run('gpg', ['--homedir', world.administrator, '--armor', '--export-secret-keys'])).stdout,
  });
  const words = ['--gnupg-home', ring.home, '--confdir', join(scratch, 'none')];
  const set = await together(encrypted);
  const call = async (more: string[]) => {
    const outcome = await asAccount(join(world.bin, 'ktadmin'), [
      'backup',
      'verify',
      set,
      '--json',
      ...words,
      ...more,
    ]);
    expect(outcome.stderr).toBe('');
    return { status: outcome.status, ...findings(outcome) };
  };
  const origin = `not checked: it is by ${server.fingerprint} of kts01.example.com, and there is no server in ${scratch}/none`;
  expect(await call([])).toEqual({ status: 3, ...ALL_GOOD, origin });
  expect(await call(['--fingerprint', server.fingerprint])).toEqual({ status: 0, ...ALL_GOOD });
  const groups = server.fingerprint
    .slice(6)
    .toLowerCase()
    .replaceAll(/(.{4})/g, '$1 ');
  expect(await call(['--fingerprint', groups])).toEqual({ status: 0, ...ALL_GOOD });
  expect(await call(['--fingerprint', 'A'.repeat(40)])).toEqual({
    status: 8,
    ...ALL_GOOD,
    origin: `failed: it is the set of another server, ${server.fingerprint} of kts01.example.com; --fingerprint has ${'A'.repeat(40)}`,
  });
});

test('a workstation that has the server’s public key needs no secret key to see that a file is the server’s', async () => {
  const scratch = await temporaryDirectory();
  const ring = await keyring(scratch, 'w');
  await copyFile(join(server.confdir, 'pubring.kbx'), join(ring.home, 'pubring.kbx'));
  await give(join(ring.home, 'pubring.kbx'));
  const words = [
    await together(encrypted),
    '--json',
    '--fingerprint',
    server.fingerprint,
    '--confdir',
    '/nowhere',
  ];
  const outcome = await asAccount(join(world.bin, 'ktbackup'), [
    'verify',
    ...words,
    '--gnupg-home',
    ring.home,
  ]);
  expect({ status: outcome.status, ...findings(outcome) }).toMatchObject({
    status: 0,
    receipt: 'ok',
    origin: 'ok',
  });
  const empty = await keyring(scratch, 'e');
  const unknown = await asAccount(join(world.bin, 'ktbackup'), [
    'verify',
    ...words,
    '--gnupg-home',
    empty.home,
  ]);
  expect({ status: unknown.status, ...findings(unknown) }).toMatchObject({
    status: 3,
    receipt: `not checked: the public key of ${server.fingerprint}, which signed it, is not at hand`,
  });
});

test('the set of another server is recognized, decrypted or not, and its server is named', async () => {
  const other = await testServer({ start: false });
  const conf = join(other.confdir, 'keytrustee.conf');
  const own = `4096R/${'0123456789'.repeat(4)}`;
  await writeFile(conf, (await readFile(conf, 'utf8')).replaceAll(server.fingerprint, own));
  const origin = `failed: it is the set of another server, ${server.fingerprint} of kts01.example.com; ${other.confdir} has ${own.slice(6)}`;
  for (const words of [[clear], [encrypted], [encrypted, ...asAdministrator]]) {
    const outcome = await other.ktbackup(['verify', '--json', ...words]);
    expect({ status: outcome.status, ...findings(outcome) }).toMatchObject({ status: 8, origin });
  }
});

test('protected keys: none given, a wrong one, the right one; and a recipient whose key has expired since', async () => {
  const scratch = await temporaryDirectory();
  const ring = await keyring(scratch, 'r');
  const fingerprint = await ring.make('Pat Protected', { passphrase: 'correct horse' });
  const old = await ring.make('Eve Expired', { passphrase: 'correct horse' });
  const output = await ownedDirectory(server.directory, 'protected');
  const make = async (recipient: string) => {
    const env = { GNUPGHOME: ring.home };
    const words = [`--gpg-recipient=${recipient}`, '--quiet', `--output=${output}`];
    return (await server.ktbackup(words, { env })).stdout.trim();
  };
  const sets = [await make(fingerprint), await make(old)];
  const asOwner = ['--pinentry-mode', 'loopback', '--passphrase', 'correct horse'];
  // The key, and then its subkeys.
  for (const which of [[], ['*']])
    await ring.gpg([...asOwner, '--quick-set-expire', old, 'seconds=1', ...which]);
  const forget = () => asAccount('gpgconf', ['--homedir', ring.home, '--kill', 'all']);
  const right = join(scratch, 'right');
  const wrong = join(scratch, 'wrong');
  await writeFile(right, 'correct horse\nmore\n', { mode: 0o600 });
  await writeFile(wrong, 'battery staple\n', { mode: 0o600 });
  for (const path of [right, wrong]) await give(path);
  const call = async (words: string[]) => {
    await forget();
    const env = { KEYTRUSTEE_CONFDIR: server.confdir };
    return asAccount(join(world.bin, 'ktbackup'), ['verify', '--json', '--gnupg-home', ring.home, ...words], {
      env,
    });
  };
  const [set = '', expired = ''] = sets;
  const without = await call([set]);
  expect({ status: without.status, ...findings(without) }).toEqual({
    status: 0,
    ...ALL_GOOD,
    ...INSIDE,
    decryption: "not checked: the recipient's key is protected and no passphrase was given",
  });
  const refused = await call([set, '--passphrase-file', wrong]);
  expect(refused.status).toBe(8);
  expect(JSON.parse(refused.stdout)).toEqual({
    error: { code: 'untrusted', message: `${set}: wrong passphrase for the recipient's key`, hint: null },
  });
  for (const each of [set, expired]) {
    const done = await call([each, '--passphrase-file', right]);
    expect({ status: done.status, ...findings(done) }).toEqual({ status: 0, ...ALL_GOOD });
  }
  const listed = await ring.gpg(['--with-colons', '--list-keys', old]);
  expect(listed).toMatch(/^pub:e:/m);
});

test('nothing is left, and nothing written but when which file was verified', async () => {
  const set = await together(clear);
  const place = await temporaryDirectory();
  const env = { TMPDIR: place };
  const before = [
    await checksums(server.confdir),
    await checksums(dirname(set)),
    await readdir(dirname(set)),
  ];
  await verify([set, '--fingerprint', 'A'.repeat(40)], { env });
  await verify([set, '--confdir', '/nowhere'], { env });
  const after = [await checksums(server.confdir), await checksums(dirname(set)), await readdir(dirname(set))];
  expect(after, 'what says nothing of the set is not written down').toEqual(before);
  for (const words of [[set], [await together(encrypted), ...asAdministrator]]) await verify(words, { env });
  expect(await checksums(server.confdir)).toBe(before[0]);
  expect(await readdir(place)).toEqual([]);
  const names = (await readdir(dirname(set))).filter((name) => !before[2]?.includes(name));
  expect(names).toEqual(['.kts_bak_kts01_example_com.records.json']);
  const records = async () =>
    (
      JSON.parse(await readFile(join(dirname(set), names[0] ?? ''), 'utf8')) as {
        sets: Record<string, object>;
      }
    ).sets[basename(set)];
  const time = expect.stringMatching(/Z$/) as string;
  expect(await records()).toMatchObject({ outcome: 'good', verifiedAt: time, drilledAt: null });
  await writeFile(set, (await readFile(set)).subarray(0, -512));
  expect((await verify([set], { env })).status).toBe(8);
  expect(await records()).toMatchObject({ outcome: 'damaged' });
});

test('through the program: a cut set has its line and its verdict', async () => {
  const set = await alone(clear);
  await writeFile(set, (await readFile(set)).subarray(0, 20 * 512));
  const never = 'not checked: archive failed';
  expect(said(await verify([set]))).toEqual({
    status: 8,
    stderr: '',
    stdout: [
      'form        ok (clear, 10240 bytes)',
      'container   not checked: the set is not encrypted',
      'receipt     not checked: there is none beside the set',
      'decryption  not checked: the set is not encrypted',
      'archive     failed: the archive is damaged: it is cut short',
      `manifest    ${never}`,
      `origin      ${never}`,
      `members     ${never}`,
      `dump        ${never}`,
      'The set is not to be trusted. Use another one.\n',
    ].join('\n'),
  });
});

test.skipIf(!isRoot)('without GnuPG it says what is missing (needs root: a mount namespace)', async () => {
  const directory = await temporaryDirectory();
  const [real, links] = [join(directory, 'real'), join(directory, 'links')];
  const script = [
    `mkdir ${real}`,
    `mount --bind /usr/bin ${real}`,
    `cp -as ${real} ${links}`,
    `rm ${links}/gpg`,
    `mount --bind ${links} /usr/bin`,
    `exec ${join(world.bin, 'ktbackup')} verify ${encrypted} --gnupg-home ${world.administrator}`,
  ];
  const outcome = await inNamespace(script.join('\n'), { env: { KEYTRUSTEE_CONFDIR: server.confdir } });
  expect(said(outcome)).toEqual(refusal(5, 'the program gpg is not installed'));
});

test('a place for the archive that is missing, a set that is missing, and a directory are told as what they are', async () => {
  expect(said(await verify([encrypted], { env: { TMPDIR: '/nowhere' } }))).toEqual(
    refusal(5, '/nowhere: no such file or directory'),
  );
  const none = join(server.directory, 'none');
  expect(said(await verify([none]))).toEqual(refusal(5, `${none}: no such file or directory`));
  expect(existsSync(none)).toBe(false);
  await mkdir(none);
  expect((await verify([none])).stdout).toMatch(`form        failed: ${none} is not a file\n`);
  await rm(none, { recursive: true });
  expect(await kt('ktbackup', ['verify'])).toMatchObject({ status: 2 });
});
