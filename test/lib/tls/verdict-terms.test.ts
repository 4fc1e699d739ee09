/** One good certificate on different terms: names, time, versions and ciphers. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Protocol } from '../../../src/lib/tls/context.ts';
import type { Verdict } from '../../../src/lib/tls/fault.ts';
import { judge, type Terms } from '../../../src/lib/tls/verdict.ts';
import { SETTINGS_WORDS } from '../../../src/lib/tls/words.ts';
import { AUTHORITY, curve, issue, type Recipe, RSA, SERVER } from '../../support/openssl.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

const protocol: Protocol = { SSL_MIN_VERSION: 'tlsv1.2', SSL_CIPHERS: '' };
const named = (...list: string[]) => [...SERVER, `subjectAltName=${list.join(',')}`];
let directory = '';

const LEAVES: Record<string, Recipe> = {
  own: { extensions: named('DNS:kts01.example.com', 'IP:192.0.2.1', 'IP:2001:db8::1') },
  wildcard: { extensions: named('DNS:*.example.com') },
  idn: { extensions: named('DNS:xn--schlssel-95a.example.com') },
  mail: { extensions: named('email:a@example.com') },
  wrongly: { extensions: named('DNS:192.0.2.1') },
  'line-end': { extensions: named('DNS:b.example.com'), subject: '/CN=a\u009b31m\u202e' },
  rsa: { key: RSA, extensions: [...named('DNS:kts01.example.com'), 'keyUsage=digitalSignature'] },
  ed25519: { key: ['-newkey', 'ed25519'], extensions: named('DNS:kts01.example.com') },
};

/** The authority expires before the certificates. */
beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  directory = await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  await issue(directory, 'root', { key: curve('P-384'), extensions: AUTHORITY, days: 200 });
  const leaves = Object.entries(LEAVES);
  await Promise.all(leaves.map(([name, recipe]) => issue(directory, name, { by: 'root', ...recipe })));
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const read = async (name: string) => new X509Certificate(await readFile(join(directory, `${name}.pem`)));

async function verdictOn(name: string, terms: Partial<Terms>, alone = false): Promise<Verdict> {
  const chain = alone ? [await read('root')] : [await read(name), await read('root')];
  const key = createPrivateKey(await readFile(join(directory, `${alone ? 'root' : name}.key`)));
  return judge({ chain, key }, { host: 'kts01.example.com', protocol, ...terms });
}

const told = ({ faults, warnings }: Verdict) =>
  [...faults, ...warnings].map(({ code, message, hint }) => [code, message, hint]);

test.each([
  ['own', 'kts01.example.com'],
  ['own', 'KTS01.example.com.'],
  ['own', '192.0.2.1'],
  ['own', '2001:db8:0::1'],
  ['wildcard', 'kts01.example.com'],
  ['idn', 'schlüssel.example.com'],
])('%s is for %s', async (name, host) => {
  expect(told(await verdictOn(name, { host }))).toEqual([]);
});

test.each([
  ['wildcard', 'example.com', ', but for *.example.com'],
  ['wildcard', 'a.b.example.com', ', but for *.example.com'],
  ['mail', 'kts01.example.com', ': its subjectAltName has no host'],
  ['wrongly', '192.0.2.1', ': 192.0.2.1 stands there as a name (DNS) and not as an address (IP)'],
])('%s is not for %s', async (name, host, why) => {
  const hint = `ask for one with this name: ktadmin cert request --san ${host}`;
  const message = `SSL_CERTIFICATE is not for ${host}, which EXTERNAL_ADDRESS names${why}`;
  expect(told(await verdictOn(name, { host, words: SETTINGS_WORDS }))).toEqual([['host', message, hint]]);
});

const RENEW =
  'ask for a new one, ktadmin cert request writes the request, and put it to use by ktadmin cert rotate';

test.each([
  [31.5, [], undefined],
  [30.5, ['expires-soon', 'expires on END, in 30 days'], RENEW],
  [1.5, ['expires-soon', 'expires on END, in 1 day'], RENEW],
  [0.5, ['expires-soon', 'expires on END, within a day'], RENEW],
  [-0.5, ['expired', 'expired on END'], RENEW],
  [
    201,
    ['not-yet-valid', 'is valid only from START'],
    'look whether the clock is right (timedatectl), or wait until then',
  ],
])('%s days before its end', async (days, [code, words], hint) => {
  const root = await read('root');
  const now = new Date(new Date(root.validTo).getTime() - days * 86_400_000);
  const { faults, warnings } = await verdictOn('root', { now }, true);
  const message = words?.replace('END', root.validTo).replace('START', root.validFrom);
  const found = [...faults, ...warnings].filter(
    ({ code: one }) => one === code || /^(?:exp|not-yet)/.test(one),
  );
  expect(found).toEqual(code === undefined ? [] : [{ code, message: `the certificate ${message}`, hint }]);
});

test('an authority that expires before the certificate is told of, by its name', async () => {
  const { validTo } = await read('root');
  const end = new Date(validTo).getTime();
  const hint = 'have its authority send the certificates that are valid now';
  expect(told(await verdictOn('own', { now: new Date(end + 1000) }))).toEqual([
    ['expired', `the authority CN=root expired on ${validTo}`, hint],
  ]);
  expect(told(await verdictOn('own', { now: new Date(end - 86_400_000 * 2.5) }))).toEqual([
    ['expires-soon', `the authority CN=root expires on ${validTo}, in 2 days`, hint],
  ]);
});

const nothingOf = (version: string, type: string, hint: string) => [
  'protocol',
  `SSL_CIPHERS leaves nothing of ${version} with the key, which is of the type ${type}`,
  hint,
];
const OLD = 'set SSL_MIN_VERSION to tlsv1.2, or name a cipher of that version in SSL_CIPHERS';

test.each<[string, Partial<Protocol>, string[][]]>([
  [
    'rsa',
    { SSL_CIPHERS: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    [
      nothingOf(
        'TLS 1.2',
        'rsa',
        'name a cipher for this key in SSL_CIPHERS, such as ECDHE-RSA-AES256-GCM-SHA384, or set SSL_MIN_VERSION to tlsv1.3',
      ),
    ],
  ],
  [
    'own',
    { SSL_CIPHERS: 'AES256-GCM-SHA384' },
    [
      nothingOf(
        'TLS 1.2',
        'ec',
        'name a cipher for this key in SSL_CIPHERS, such as ECDHE-ECDSA-AES256-GCM-SHA384, or set SSL_MIN_VERSION to tlsv1.3',
      ),
    ],
  ],
  [
    'own',
    { SSL_MIN_VERSION: 'tlsv1', SSL_CIPHERS: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    [nothingOf('TLS 1.0', 'ec', OLD), nothingOf('TLS 1.1', 'ec', OLD)],
  ],
  [
    'own',
    { SSL_MIN_VERSION: 'tlsv1.3', SSL_CIPHERS: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    [
      [
        'protocol',
        'SSL_CIPHERS names ciphers of TLS 1.2 and before alone, and SSL_MIN_VERSION tlsv1.3 speaks none of them',
        'name suites of TLS 1.3, such as TLS_AES_256_GCM_SHA384, or leave SSL_CIPHERS empty: the usual ones are spoken',
      ],
    ],
  ],
  [
    'own',
    { SSL_CIPHERS: 'AES-256' },
    [['protocol', 'SSL_CIPHERS: OpenSSL knows no cipher AES-256', 'openssl ciphers -v lists the names']],
  ],
  [
    'rsa',
    { SSL_CIPHERS: 'AES256-SHA' },
    [
      [
        'key-usage',
        'the certificate does not let its key decrypt (keyUsage has no keyEncipherment), as AES256-SHA needs',
        'have it issued again with keyEncipherment in keyUsage, or name ciphers that begin with ECDHE-RSA in SSL_CIPHERS',
      ],
    ],
  ],
  ['rsa', { SSL_MIN_VERSION: 'tlsv1', SSL_CIPHERS: 'ECDHE-RSA-AES256-SHA' }, []],
])('%s with %j', async (name, settings, expected) => {
  expect(told(await verdictOn(name, { protocol: { ...protocol, ...settings } }))).toEqual(expected);
});

test('what a certificate says of itself cannot command a terminal', async () => {
  const chain = [await read('own'), await read('root'), await read('line-end')];
  const { warnings } = await judge({ chain, key: undefined }, { host: 'kts01.example.com', protocol });
  const [{ message } = { message: '' }] = warnings;
  expect(message).toMatch(/^CN=.*a.*31m.*: no part of the chain$/);
  expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
