import { createPrivateKey } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { recognize } from '../../../src/lib/tls/material.ts';
import { type Material, makeMaterial } from '../../support/material.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

let made: Material;
let own = '';
let root = '';
let key = '';

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  made = await makeMaterial(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)));
  own = await made.text('own.pem');
  root = await made.text('root.pem');
  key = await made.text('own.key');
  await made.openssl('x509 -in @own.pem -trustout -addtrust serverAuth -out @trusted.pem');
  await made.openssl('x509 -in @own.pem -outform DER -out @own.der');
  await made.openssl('req -new -key @own.key -subj /CN=own -out @own.csr');
  await made.openssl('crl2pkcs7 -nocrl -certfile @own.pem -certfile @root.pem -out @both.p7b');
  await made.openssl('crl2pkcs7 -nocrl -certfile @own.pem -certfile @root.pem -outform DER -out @der.p7b');
  await made.openssl('pkey -in @own.key -outform DER -out @pkcs8.der');
  await made.openssl('ec -in @own.key -outform DER -out @sec1.der');
  await made.openssl('ec -in @own.key -param_out -out @parameters.pem');
  await made.openssl('ec -in @own.key -out @sec1.pem');
  await made.openssl('genrsa -traditional -out @rsa.pem 1024');
  await made.openssl('rsa -in @rsa.pem -traditional -outform DER -out @rsa.der');
  await made.openssl(
    `pkcs8 -topk8 -in @own.key -outform DER -passout file:${made.at('password')} -out @locked.der`,
  );
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

/** What is recognized, as a line. */
function told(content: string | Buffer): string {
  const found = recognize(Buffer.from(content));
  if (found === undefined) return 'nothing';
  const { form, certificates, keys, isStore, damaged, others } = found;
  const names = certificates.map(({ subject }) => subject.replace('CN=', ''));
  const locks = keys.map(({ isLocked }) => (isLocked ? 'locked key' : 'key'));
  return [form, ...names, ...locks, ...(isStore ? ['store'] : []), ...damaged, ...others].join(', ');
}

test('PEM in every dress', () => {
  expect(told(own)).toBe('PEM, own');
  expect(told(own + key + root)).toBe('PEM, own, root, key');
  const both = `subject=/CN=own\n${own}between: x\n${root}the end`;
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(both, 'utf16le')]);
  for (const content of [
    both,
    both.replaceAll('\n', '\r\n'),
    both.replaceAll('\n', '\r'),
    `\ufeff${both}`,
    utf16,
  ])
    expect(told(content)).toBe('PEM, own, root');
  expect(told(own.replaceAll(/^/gm, '    '))).toBe('PEM, own');
  expect(told(own.replaceAll('CERTIFICATE', 'X509 CERTIFICATE'))).toBe('PEM, own');
});

test('a certificate with the settings of trust of OpenSSL is the same certificate', async () => {
  const trusted = await made.text('trusted.pem');
  expect(trusted).toContain('BEGIN TRUSTED CERTIFICATE');
  expect(recognize(Buffer.from(trusted))?.certificates[0]?.raw).toEqual(await made.bytes('own.der'));
});

test('what is damaged is told by its line, and the rest is read', () => {
  const [first = '', second = '', ...rest] = own.split('\n');
  const broken = [first, `*${second.slice(1)}`, ...rest].join('\n');
  const short = [first, ...rest].join('\n');
  expect(told(`${broken}${root}`)).toBe('PEM, root, the certificate in line 1');
  expect(told(`${root}${short}`)).toBe(`PEM, root, the certificate in line ${root.split('\n').length}`);
  expect(told(`# a\n\n${own.replace(/-----END.*/, '')}${root}`)).toBe('PEM, root, the certificate in line 3');
  expect(told(key.replace(/\n.*\n/, '\nAAAA\n'))).toBe('PEM, the private key in line 1');
  expect(told('-----BEGIN CERTIFICATE-----')).toBe('PEM, the certificate in line 1');
  expect(told('-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----')).toBe('PEM, the PKCS7 in line 1');
});

test('PKCS#7, in PEM, in DER and as Windows frames it', async () => {
  for (const name of ['both.p7b', 'der.p7b']) expect(told(await made.bytes(name))).toBe('PKCS#7, own, root');
  const text = await made.text('both.p7b');
  expect(told(text.replaceAll('PKCS7', 'CERTIFICATE'))).toBe('PKCS#7, own, root');
});

test('an older PKCS#7 whose lengths are left open', async () => {
  const { bytes } = made;
  const whole = await bytes('der.p7b');
  // The outermost length and that of the wrapped content: SEQUENCE, identifier (11 bytes), [0], SEQUENCE.
  const identifier = whole.subarray(4, 15);
  const signed = whole.subarray(19);
  const open = Buffer.from([0x30, 0x80]);
  const parts = [open, identifier, Buffer.from([0xa0, 0x80]), signed, Buffer.alloc(4)];
  expect(told(Buffer.concat(parts))).toBe('PKCS#7, own, root');
});

test('DER of a certificate and of every kind of key', async () => {
  expect(told(await made.bytes('own.der'))).toBe('DER, own');
  expect(told(Buffer.concat([await made.bytes('own.der'), Buffer.from('\n')]))).toBe('DER, own');
  for (const name of ['pkcs8.der', 'sec1.der', 'rsa.der']) {
    const bytes = await made.bytes(name);
    expect(told(bytes)).toBe('DER, key');
    expect(createPrivateKey(recognize(bytes)?.keys[0]?.pem ?? '').type).toBe('private');
  }
  expect(told(await made.bytes('locked.der'))).toBe('DER, locked key');
});

test('keys in PEM, each once', async () => {
  const old = await made.text('sec1.pem');
  expect(old).toContain('BEGIN EC PRIVATE KEY');
  expect(told((await made.text('parameters.pem')) + old)).toBe('PEM, key');
  expect(told(await made.text('rsa.pem'))).toBe('PEM, key');
  expect(told(key + key.replaceAll('\n', '\r\n'))).toBe('PEM, key');
});

test('other things are named', async () => {
  expect(told(await made.text('own.csr'))).toBe('PEM, CERTIFICATE REQUEST');
  expect(told(key.replaceAll('PRIVATE', 'OPENSSH PRIVATE'))).toBe('PEM, OPENSSH PRIVATE KEY');
});

test.each([
  ['nothing at all', ''],
  ['text', 'hello'],
  ['a tag alone', '\x30'],
  ['lengths left open without end', '\x30\x80'.repeat(10_000)],
  ['a length that is too long', '\x30\x84\xff\xff\xff\xff'],
  ['half a certificate in DER', ''],
])('%s is nothing', async (what, content) => {
  const bytes = what.startsWith('half')
    ? (await made.bytes('own.der')).subarray(0, 200)
    : Buffer.from(content, 'latin1');
  expect(told(bytes)).toBe('nothing');
});

test('stores are recognized, and not opened yet', async () => {
  await made.openssl('pkcs12 -export -inkey @own.key -in @own.pem -passout pass:x -out @own.p12');
  expect(told(await made.bytes('own.p12'))).toBe('PKCS#12, store');
  expect(told(Buffer.from('feedfeed0000000200', 'hex'))).toBe('JKS, store');
  expect(told(Buffer.from('cececece0000000200', 'hex'))).toBe('JKS, store');
});

test('defect: a file full of beginnings took minutes', () => {
  const found = recognize(Buffer.from('-----BEGIN CERTIFICATE-----\n'.repeat(30_000)));
  expect(found?.damaged.at(-1)).toBe('the certificate in line 30000');
});
