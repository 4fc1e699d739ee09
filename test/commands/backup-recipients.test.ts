import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fakePath } from '../support/faults.ts';
import { keyring, revoke } from '../support/keyring.ts';
import {
  asAccount,
  ownedDirectory,
  type TestServer,
  temporaryDirectory,
  testServer,
  withoutDrop,
} from '../support/sandbox.ts';

const SIGN_ONLY = ['Key-Type: EDDSA', 'Key-Curve: ed25519', 'Key-Usage: sign'];
const RSA_1024 = ['Key-Type: RSA', 'Key-Length: 1024', 'Subkey-Type: RSA', 'Subkey-Length: 1024'];
const DSA = ['Key-Type: DSA', 'Key-Length: 1024', 'Subkey-Type: ELG', 'Subkey-Length: 1024'];
const SECP256K1 = ['Key-Type: ECDSA', 'Key-Curve: secp256k1', 'Subkey-Type: ECDH', 'Subkey-Curve: secp256k1'];

/** One attempt: its status and the whole of its stderr. */
async function attempt(server: TestServer, home: string, recipients: string[], output: string) {
  const args = [...recipients.map((name) => `--gpg-recipient=${name}`), '--quiet', `--output=${output}`];
  const { status, stdout, stderr } = await server.ktbackup(args, { env: { GNUPGHOME: home } });
  return { status, stdout, stderr: withoutDrop(stderr) };
}

test('a recipient who could not read the set is refused before anything is made', async () => {
  const server = await testServer({ start: false });
  const output = await ownedDirectory(server.directory, 'out');
  const ring = await keyring(server.directory);
  const { home } = ring;
  const made = {
    old: await ring.make('Old Oscar', { madeAt: '20200101T000000', expires: '1y' }),
    revoked: await ring.make('Rita Revoked'),
    signer: await ring.make('Sam Signer', { kind: SIGN_ONLY }),
    disabled: await ring.make('Dora Disabled'),
    weak: await ring.make('Wim Weak', { kind: RSA_1024 }),
    dsa: await ring.make('Dan Dsa', { kind: DSA }),
    curve: await ring.make('Carl Curve', { kind: SECP256K1 }),
    twinA: await ring.make('John Twin', { mail: 'a@example.com' }),
    twinB: await ring.make('John Twin', { mail: 'b@example.com' }),
    good: await ring.make('Good Gina'),
  };
  await revoke(ring, made.revoked);
  await ring.gpg(['--command-fd', '0', '--edit-key', made.disabled], { input: 'disable\nsave\n' });

  const current = 'ktadmin: hint: import a current key of this recipient\n';
  const refused = (name: string, reason: string, key: string, userId = name) => ({
    status: 1,
    stdout: '',
    stderr: `ktadmin: error: the key of recipient "${name}" ${reason}: ${key} ${userId}\n${current}`,
  });
  const unknown = (name: string) => ({
    status: 5,
    stdout: '',
    stderr:
      `ktadmin: error: no key for recipient ${JSON.stringify(name)} in ${home}\n` +
      `ktadmin: hint: as the service account: gpg --homedir ${home} --import FILE\n`,
  });
  const ambiguous = (name: string) => ({
    status: 6,
    stdout: '',
    stderr: expect.stringMatching(
      `^ktadmin: error: recipient "${name}" fits several keys:\n` +
        `  (${made.twinA} John Twin <a@example.com>\n  ${made.twinB} John Twin <b@example.com>` +
        `|${made.twinB} John Twin <b@example.com>\n  ${made.twinA} John Twin <a@example.com>)\n` +
        'ktadmin: hint: give the fingerprint of the one that is meant\n$',
    ) as string,
  });
  const weak = 'is an RSA key below 2048 bits, which is too weak';
  const cases: [string[], unknown][] = [
    [['Old Oscar'], refused('Old Oscar', 'has expired', made.old)],
    [['Rita Revoked'], refused('Rita Revoked', 'is revoked', made.revoked)],
    [['Sam Signer'], refused('Sam Signer', 'cannot encrypt', made.signer)],
    [['Dora Disabled'], refused('Dora Disabled', 'is disabled', made.disabled)],
    [['Wim Weak'], refused('Wim Weak', weak, made.weak)],
    [['Dan Dsa'], refused('Dan Dsa', 'is a DSA or ElGamal key, which is too weak', made.dsa)],
    [
      ['Carl Curve'],
      {
        status: 1,
        stdout: '',
        stderr: expect.stringMatching(
          `^ktadmin: error: the key of recipient ${made.curve} Carl Curve cannot be encrypted to: .*\n${current}$`,
        ) as string,
      },
    ],
    [['Nobody'], unknown('Nobody')],
    [['--help'], unknown('--help')],
    [['nobody@example.org'], unknown('nobody@example.org')],
    [['John Twin'], ambiguous('John Twin')],
    [['ohn Tw'], ambiguous('ohn Tw')],
    [['Good Gina', 'Nobody'], unknown('Nobody')],
    [['Good Gina', 'Old Oscar'], refused('Old Oscar', 'has expired', made.old)],
    [[''], { status: 2, stdout: '', stderr: 'ktadmin: error: --gpg-recipient: an empty recipient\n' }],
  ];
  for (const [recipients, expected] of cases) {
    expect(await attempt(server, home, recipients, output), recipients.join()).toEqual(expected);
  }
  expect(await readdir(output)).toEqual([]);
}, 120_000);

test('a key that is given by mail, key id or fingerprint is found, and each recipient can read the set', async () => {
  const server = await testServer();
  const output = await ownedDirectory(server.directory, 'out');
  const ring = await keyring(server.directory);
  const gina = await ring.make('Good Gina', { mail: 'gina@example.com' });
  const hugo = await ring.make('Hugo Other', {
    kind: ['Key-Type: RSA', 'Key-Length: 2048', 'Subkey-Type: RSA', 'Subkey-Length: 2048'],
  });
  const spaced = hugo.replace(/(.{4})(?=.)/g, '$1 ');
  for (const names of [
    ['gina@example.com'],
    [gina.slice(-16)],
    [gina],
    ['=Good Gina <gina@example.com>'],
    [spaced],
    ['Good Gina', 'Hugo Other', gina],
  ]) {
    const { status, stdout, stderr } = await attempt(server, ring.home, names, output);
    expect({ status, stderr }, names.join()).toEqual({ status: 0, stderr: '' });
    const listing = await ring.gpg(['--list-only', '--status-fd', '1', '--decrypt', stdout.trim()]);
    const count = names.length === 1 ? 1 : 2;
    expect(listing.match(/ENC_TO/g)).toHaveLength(count);
    for (const readers of names.length === 1 ? [] : [gina, hugo]) {
      const alone = await keyring(server.directory, `alone-${readers.slice(0, 8)}`);
      const exported = await asAccount('gpg', [
        '--homedir',
        ring.home,
        '--export-secret-keys',
        '-a',
        readers,
      ]);
      await alone.gpg(['--import'], { input: exported.stdout });
      const said = await alone.gpg(['--status-fd', '1', '-o', '/dev/null', '--decrypt', stdout.trim()]);
      expect(said).toContain('[GNUPG:] GOODMDC');
    }
  }
}, 120_000);

test('a user id cannot steer the terminal, and a key that soon expires is told of', async () => {
  const server = await testServer();
  const output = await ownedDirectory(server.directory, 'out');
  const ring = await keyring(server.directory);
  const evil = await ring.make('Eve \u001b[2J\u009b31m', { mail: 'eve@example.com', expires: '5d' });
  const told = await server.ktbackup([`--gpg-recipient=${evil}`, `--output=${output}`], {
    env: { GNUPGHOME: ring.home },
  });
  const day = new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 8);
  expect(told.status).toBe(0);
  expect(told.stderr).toContain(`INFO - Encrypting to ${evil} Eve \\x{1b}[2J\\x{9b}31m <eve@example.com>\n`);
  expect(told.stderr).toContain(`WARNING - The key ${evil} expires on ${day.slice(0, 4)}`);
  expect(told.stderr).not.toContain('\u001b');
  expect(told.stderr).not.toContain('\u009b');
});

test('defect: a GnuPG that cannot look was taken for one that finds nothing', async () => {
  const server = await testServer({ start: false });
  const output = await ownedDirectory(server.directory, 'out');
  const path = await fakePath(await temporaryDirectory(), {
    gpg: 'case "$*" in *--list-keys*) echo "gpg: out of core" >&2; exit 2;; esac; exec "$REAL" "$@"',
  });
  const { status, stderr } = await server.ktbackup(['--gpg-recipient=John Doe', `--output=${output}`], {
    env: { PATH: path },
  });
  expect({ status, stderr: withoutDrop(stderr) }).toEqual({
    status: 1,
    stderr: 'ktadmin: error: gpg failed (exit status 2): gpg: out of core\n',
  });
});

test('without GnuPG, or with an old one, it says so', async () => {
  const server = await testServer({ start: false });
  const output = await ownedDirectory(server.directory, 'out');
  const parent = await temporaryDirectory();
  const old = await fakePath(parent, { gpg: 'echo "gpg (GnuPG) 1.4.23"' });
  const args = ['--gpg-recipient=John Doe', `--output=${output}`];
  const { status, stderr } = await server.ktbackup(args, { env: { PATH: old } });
  expect({ status, stderr: withoutDrop(stderr) }).toEqual({
    status: 3,
    stderr: 'ktadmin: error: GnuPG 1.4.23 is too old\nktadmin: hint: install GnuPG 2.2 or later\n',
  });
  const broken = await fakePath(parent, { gpg: 'exit 127' });
  const missing = await server.ktbackup(args, { env: { PATH: broken } });
  expect({ status: missing.status, stderr: withoutDrop(missing.stderr) }).toEqual({
    status: 5,
    stderr:
      'ktadmin: error: GnuPG is not installed\n' +
      'ktadmin: hint: apt-get install gnupg (Debian), dnf install gnupg2 (RHEL)\n',
  });
  expect(await readdir(join(output))).toEqual([]);
});
