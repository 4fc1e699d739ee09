import { generateKey, readKey, readPrivateKey } from 'openpgp';
import { expect, test } from 'vitest';
import type { KeyFault } from '../../../src/lib/gpg/key-fault.ts';
import { checkPublicKey, type PublicKey } from '../../../src/lib/gpg/public-key.ts';
import { keyring, revoke } from '../../support/keyring.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

async function taken(given: string | Uint8Array): Promise<PublicKey> {
  const checked = await checkPublicKey(given);
  if ('fault' in checked) throw new Error(checked.fault);
  return checked.key;
}

async function fault(given: string | Uint8Array): Promise<KeyFault | undefined> {
  const checked = await checkPublicKey(given);
  return 'fault' in checked ? checked.fault : undefined;
}

const user = { name: 'Finn', email: 'finn@example.com' };
const made = generateKey({ userIDs: [user], format: 'armored' });

test('a key is taken however it comes: pasted, quoted, indented, as UTF-16, binary', async () => {
  const { publicKey } = await made;
  const key = await taken(publicKey);
  expect(key).toEqual({
    fingerprint: (await readKey({ armoredKey: publicKey })).getFingerprint().toUpperCase(),
    algorithm: 'Ed25519',
    encryption: 'Curve25519',
    userIds: ['Finn <finn@example.com>'],
    created: expect.any(Date) as Date,
    expires: undefined,
    armored: expect.stringContaining('PUBLIC KEY BLOCK') as string,
  });
  const lines = publicKey.split('\n');
  const forms = [
    `Hello,\r\nmy key:\r\n${lines.join('\r\n')}-- \r\nFinn`,
    lines.map((line) => `> ${line}`).join('\n'),
    lines.map((line) => `\t ${line}\u00a0 `).join('\n'),
    Buffer.from(`\ufeff${publicKey}`, 'utf16le'),
    Buffer.from(`\ufeff${publicKey}`, 'utf8'),
    (await readKey({ armoredKey: key.armored })).write(),
  ];
  for (const form of forms) expect((await taken(form)).armored).toBe(key.armored);
});

test('what is no key, or no whole one, or too large, is told apart', async () => {
  const { publicKey } = await made;
  const binary = (await readKey({ armoredKey: publicKey })).write();
  expect(await fault('')).toBe('empty');
  expect(await fault('ssh-ed25519 AAAA finn')).toBe('empty');
  expect(await fault(publicKey.slice(0, -50))).toBe('cut');
  expect(await fault(publicKey.replace(/^([A-Za-z0-9+/]{40})/m, '$1!!'))).toBe('unreadable');
  expect(await fault(binary.slice(0, -20))).toBe('unreadable');
  expect(await fault(Buffer.concat([binary, binary]))).toBe('several');
  expect(await fault(publicKey + publicKey)).toBe('several');
  expect(await fault(`${publicKey}${' '.repeat(64 * 1024)}`)).toBe('large');
  expect(await fault(Buffer.alloc(64 * 1024, 0x99))).toBe('unreadable');
});

test('a private key is refused as such, whole, damaged, binary, or behind a public one (OP-9)', async () => {
  const { publicKey, privateKey } = await made;
  const read = await readPrivateKey({ armoredKey: privateKey });
  expect(await fault(privateKey)).toBe('private');
  expect(await fault(publicKey + privateKey)).toBe('private');
  expect(await fault(privateKey.slice(0, 200))).toBe('private');
  expect(await fault(read.write())).toBe('private');
  expect(await fault(read.write().slice(0, 100))).toBe('private');
  expect(await fault(Buffer.concat([read.toPublic().write(), read.write()]))).toBe('private');
  expect(await fault(privateKey.replaceAll('PRIVATE', 'PUBLIC'))).toBe('private');
  expect(await fault('-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb')).toBe('private');
});

test('keys that nobody should encrypt to are refused, each for its reason (OP-8, OP-10)', async () => {
  const ring = await keyring(await temporaryDirectory());
  const armor = (fingerprint: string) => ring.gpg(['--armor', '--export', fingerprint]);
  const weakPrimary = ['Key-Type: RSA', 'Key-Length: 1024', 'Key-Usage: sign'];
  const weakPart = ['Subkey-Type: RSA', 'Subkey-Length: 1024', 'Subkey-Usage: encrypt'];
  const curvePart = ['Subkey-Type: ECDH', 'Subkey-Curve: cv25519', 'Subkey-Usage: encrypt'];
  const dsa = ['Key-Type: DSA', 'Key-Length: 1024', 'Subkey-Type: ELG', 'Subkey-Length: 1024'];
  const signing = ['Key-Type: EDDSA', 'Key-Curve: ed25519', 'Key-Usage: sign'];
  const refused: [KeyFault, string][] = [
    ['weak', await ring.make('small', { kind: [...weakPrimary, ...curvePart] })],
    ['weak', await ring.make('small part', { kind: [...signing, ...weakPart] })],
    ['weak', await ring.make('old', { kind: dsa })],
    ['useless', await ring.make('signs', { kind: signing })],
    ['expired', await ring.make('over', { expires: '2d', madeAt: '20200101T000000' })],
  ];
  for (const [expected, fingerprint] of refused) expect(await fault(await armor(fingerprint))).toBe(expected);
  const revoked = await ring.make('gone');
  await revoke(ring, revoked);
  expect(await fault(await armor(revoked))).toBe('revoked');
  const sha1 = ['--passphrase', '', '--cert-digest-algo', 'SHA1', '--quick-generate-key', 'forged'];
  await ring.gpg([...sha1, 'rsa2048', 'sign,encr', 'never']);
  expect(await fault(await armor('forged'))).toBe('sha1');
});

test('a key that would cost much to check is refused before it is checked (HS-7)', async () => {
  const userIDs = Array.from({ length: 65 }, (_, index) => ({ name: `Finn ${index}` }));
  expect(await fault((await generateKey({ userIDs, format: 'armored' })).publicKey)).toBe('crowded');
});

test('what others hung on a key, and names that it has not signed, are not shown and not kept', async () => {
  const ring = await keyring(await temporaryDirectory());
  const fingerprint = await ring.make('Finn', { mail: 'finn@example.com', expires: '2y' });
  await ring.make('Other');
  await ring.gpg(['--local-user', 'Other', '--quick-sign-key', fingerprint]);
  const armored = await ring.gpg(['--armor', '--export', fingerprint]);
  const before = await readKey({ armoredKey: armored });
  expect(before.users[0]?.otherCertifications).toHaveLength(1);
  const stranger = (await readKey({ armoredKey: (await made).publicKey })).users[0];
  if (stranger !== undefined) before.users.push(stranger);
  const key = await taken(before.armor());
  const after = await readKey({ armoredKey: key.armored });
  expect(after.users.map((each) => each.otherCertifications)).toEqual([[]]);
  expect(key.userIds).toEqual(['Finn <finn@example.com>']);
  expect(key.fingerprint).toBe(fingerprint);
  expect(key.expires?.getTime()).toBeGreaterThan(Date.now());
});
