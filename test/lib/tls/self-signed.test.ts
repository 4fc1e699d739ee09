import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { alternativeName } from '../../../src/lib/tls/names.ts';
import { newPrivateKey } from '../../../src/lib/tls/new-key.ts';
import { makeSelfSigned, selfSignedCertificate } from '../../../src/lib/tls/self-signed.ts';
import { run, temporaryDirectory } from '../../support/sandbox.ts';

test('a key that is given is used, and its certificate is signed by it', async () => {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const pair = await selfSignedCertificate('a.example.com', privateKey);
  expect(pair.privateKey).toBe(privateKey);
  const certificate = new X509Certificate(pair.certificate);
  expect(certificate.checkPrivateKey(createPrivateKey(privateKey))).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.subjectAltName).toBe('DNS:a.example.com');
});

test('two certificates of one key differ in their serial number, which is positive', async () => {
  const first = await selfSignedCertificate('a.example.com');
  const second = await selfSignedCertificate('a.example.com', first.privateKey);
  const [one, two] = [first, second].map(({ certificate }) => new X509Certificate(certificate).serialNumber);
  expect(one).not.toBe(two);
  expect(one).toMatch(/^4[0-9A-F]{31}$/);
});

test('a host longer than a common name may be stands in the alternative name alone', async () => {
  const host = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`;
  const certificate = new X509Certificate((await selfSignedCertificate(host)).certificate);
  expect(certificate.subject).toBe(`emailAddress=keytrustee@${host}`);
  expect(certificate.checkHost(host)).toBe(host);
});

/** What OpenSSL prints of a certificate; it must be able to check it with itself as the only authority. */
async function described(certificate: string, ...args: string[]): Promise<string> {
  const directory = await temporaryDirectory();
  const path = join(directory, 'own.pem');
  await writeFile(path, certificate);
  const verified = await run('openssl', ['verify', '-CAfile', path, '-purpose', 'sslserver', path]);
  expect(verified.stdout, verified.stderr).toBe(`${path}: OK\n`);
  return (await run('openssl', ['x509', '-in', path, '-noout', ...args])).stdout;
}

test.each([
  ['rsa2048', 'Digital Signature, Key Encipherment', 'sha256WithRSAEncryption'],
  ['p256', 'Digital Signature', 'ecdsa-with-SHA256'],
  ['p384', 'Digital Signature', 'ecdsa-with-SHA384'],
] as const)('OpenSSL accepts a certificate of a key of %s, by each of its names', async (kind, usage, by) => {
  const privateKey = await newPrivateKey(kind);
  const names = ['*.example.com', '192.0.2.7', '2001:db8::1'].map(alternativeName);
  const made = await makeSelfSigned({ host: 'kts01.example.com', names, days: 90, privateKey });
  expect(made.privateKey).toBe(privateKey);
  const text = await described(made.certificate, '-text');
  expect(text).toContain(`X509v3 Key Usage: critical\n                ${usage}\n`);
  expect(text).toContain(`Signature Algorithm: ${by}`);
  const match = 'does match certificate';
  expect(await described(made.certificate, '-checkhost', 'a.example.com')).toContain(match);
  expect(await described(made.certificate, '-checkip', '192.0.2.7')).toContain(match);
  expect(await described(made.certificate, '-checkip', '2001:db8::1')).toContain(match);
  expect(await described(made.certificate, '-checkhost', 'a.example.org')).toContain('does NOT match');
  const { validFrom, validTo } = new X509Certificate(made.certificate);
  const hours = (Date.parse(validTo) - Date.parse(validFrom)) / 3_600_000;
  expect(hours).toBe(90 * 24 + 1);
});

test('a key of EC that init finds is taken over', async () => {
  const made = await run('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout']);
  expect(made.stdout).toContain('BEGIN EC PRIVATE KEY');
  const { certificate } = await selfSignedCertificate('a.example.com', made.stdout);
  expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(made.stdout))).toBe(true);
});
