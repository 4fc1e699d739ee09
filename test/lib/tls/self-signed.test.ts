import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { selfSignedCertificate } from '../../../src/lib/tls/self-signed.ts';

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
