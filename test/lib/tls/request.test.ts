import { createPrivateKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { alternativeName } from '../../../src/lib/tls/names.ts';
import { KEY_KINDS, keyFingerprint, kindOfKey, newPrivateKey } from '../../../src/lib/tls/new-key.ts';
import { signingRequest } from '../../../src/lib/tls/request.ts';
import { run, temporaryDirectory } from '../../support/sandbox.ts';

const NAMES = ['*.Example.com', '192.0.2.7', '2001:DB8:0::1', 'bücher.example', '::ffff:192.0.2.8'];
const PUNYCODE = 'xn--bcher-kva.example';

/** What OpenSSL reads in a request, once it has verified its signature. */
async function described(request: string): Promise<string> {
  const read = await run('openssl', ['req', '-verify', '-noout', '-text', '-nameopt', 'utf8'], {
    input: request,
  });
  expect(read.status, read.stderr).toBe(0);
  expect(read.stderr).toContain('verify OK');
  return read.stdout;
}

test.each([
  ['rsa2048', 'sha256WithRSAEncryption', 'Public-Key: (2048 bit)'],
  ['rsa4096', 'sha256WithRSAEncryption', 'Public-Key: (4096 bit)'],
  ['p256', 'ecdsa-with-SHA256', 'ASN1 OID: prime256v1'],
  ['p384', 'ecdsa-with-SHA384', 'ASN1 OID: secp384r1'],
] as const)(
  'OpenSSL verifies a request of a key of %s, and reads its names',
  async (kind, signature, what) => {
    const pem = await newPrivateKey(kind);
    const key = createPrivateKey(pem);
    expect(kindOfKey(key)).toBe(kind);
    const request = await signingRequest('kts01.example.com', key, NAMES.map(alternativeName));
    const text = await described(request);
    expect(text).toContain('Subject: CN=kts01.example.com\n');
    expect(text).toContain(`Signature Algorithm: ${signature}`);
    expect(text).toContain(what);
    const names = `DNS:kts01.example.com, DNS:*.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1, DNS:${PUNYCODE}`;
    expect(text).toContain(
      `X509v3 Subject Alternative Name: \n                    ${names}, IP Address:0:0:0:0:0:FFFF:C000:208\n`,
    );
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'key.pem'), pem);
    const half = ['openssl', 'pkey', '-in', join(directory, 'key.pem'), '-pubout', '-outform', 'DER'];
    const sum = await run('sh', ['-c', `${half.join(' ')} | sha256sum`]);
    expect(sum.stdout).toBe(`${keyFingerprint(key)}  -\n`);
  },
);

test('the curves and sizes that are made by others are called by their names', async () => {
  const made = await run('openssl', ['ecparam', '-name', 'secp521r1', '-genkey', '-noout']);
  const key = createPrivateKey(made.stdout);
  expect(kindOfKey(key)).toBe('secp521r1');
  expect(await described(await signingRequest('kts01.example.com', key))).toContain('ecdsa-with-SHA512');
  expect([...KEY_KINDS]).not.toContain(kindOfKey(key));
});

test('a name that is given twice stands there once, however it is written', async () => {
  const key = createPrivateKey(await newPrivateKey('p256'));
  const twice = ['KTS01.example.com', PUNYCODE, 'BÜCHER.example', '::1', '0:0::1', '192.0.2.7', '192.0.2.7'];
  const text = await described(await signingRequest('kts01.example.com', key, twice.map(alternativeName)));
  expect(text).toContain(
    ` DNS:kts01.example.com, DNS:${PUNYCODE}, IP Address:0:0:0:0:0:0:0:1, IP Address:192.0.2.7\n`,
  );
});

test('a host longer than a common name may be stands among the alternative names, which are critical', async () => {
  const key = createPrivateKey(await newPrivateKey('p256'));
  const host = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`;
  const text = await described(await signingRequest(host, key));
  expect(text).toMatch(/Subject: *\n/);
  expect(text).toContain(`X509v3 Subject Alternative Name: critical\n                    DNS:${host}\n`);
});

test('an address can be the host', async () => {
  const key = createPrivateKey(await newPrivateKey('p256'));
  expect(await described(await signingRequest('192.0.2.1', key))).toContain(' IP Address:192.0.2.1\n');
});

test.each([
  '',
  ' ',
  'a b',
  'a,DNS:b',
  'https://kts01.example.com',
  'kts01.example.com:443',
  'kts01.example.com/',
  'kts01..example.com',
  '.example.com',
  'example.com.',
  '-a.example.com',
  'a_b.example.com',
  '*',
  '*.',
  '*.com',
  '*.*.example.com',
  'a*.example.com',
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '１９２.０.２.７',
  'fe80::1%eth0',
  '[::1]',
  '%41.example',
  'ü%41.example',
  'xn--a.ü..example',
  `${'a'.repeat(64)}.example.com`,
  `${'a.'.repeat(125)}example`,
  'user@example.com',
])('%j is no name for a certificate', (text) => {
  expect(() => alternativeName(text)).toThrow(/ is no name for a certificate$/);
});
