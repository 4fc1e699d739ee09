/** Every reason why a certificate would fail, made with OpenSSL: what is said of it, and what is to be done. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Verdict } from '../../../src/lib/tls/fault.ts';
import { judge, type Terms } from '../../../src/lib/tls/verdict.ts';
import { AUTHORITY, curve, issue, openssl, type Recipe, RSA, SERVER } from '../../support/openssl.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

const HOST = 'kts01.example.com';
const names = (...list: string[]) => `subjectAltName=${list.join(',')}`;
const server = (...more: string[]) => [...SERVER, names(`DNS:${HOST}`), ...more];
const protocol = { SSL_MIN_VERSION: 'tlsv1.2', SSL_CIPHERS: '' } as const;
let directory = '';

const RECIPES: Record<string, Recipe> = {
  root: { key: RSA, extensions: AUTHORITY, days: 1000 },
  middle: { by: 'root', extensions: AUTHORITY, days: 500 },
  own: { by: 'middle', extensions: server() },
  rsa: { by: 'root', key: RSA, extensions: server('keyUsage=digitalSignature') },
  other: { extensions: AUTHORITY },
  alone: { extensions: server('keyUsage=digitalSignature') },
  'no-names': { subject: `/CN=${HOST}`, extensions: SERVER },
  nobody: { extensions: SERVER },
  partial: { extensions: [...SERVER, names('DNS:kts*.example.com')] },
  many: { extensions: [...SERVER, names(...'abcdefg'.split('').map((name) => `DNS:${name}.example.com`))] },
  short: { key: ['-newkey', 'rsa:1024'], extensions: server() },
  tiny: { key: ['-newkey', 'rsa:512'], extensions: server() },
  p192: { key: curve('prime192v1'), extensions: server() },
  koblitz: { key: curve('secp256k1'), extensions: server() },
  ed25519: { key: ['-newkey', 'ed25519'], extensions: server() },
  sha1: { by: 'root', extensions: server(), digest: 'sha1' },
  'sha1-root': { extensions: AUTHORITY, digest: 'sha1' },
  'below-sha1-root': { by: 'sha1-root', extensions: server() },
  'sha1-middle': { by: 'root', extensions: AUTHORITY, digest: 'sha1' },
  'below-sha1': { by: 'sha1-middle', extensions: server() },
  md5: { by: 'root', extensions: server(), digest: 'md5' },
  mute: { extensions: server('keyUsage=keyEncipherment') },
  client: { extensions: ['basicConstraints=CA:FALSE', 'extendedKeyUsage=clientAuth', names(`DNS:${HOST}`)] },
  authority: { extensions: [...AUTHORITY.slice(0, 1), names(`DNS:${HOST}`)] },
  'no-authority': { by: 'root', extensions: ['basicConstraints=CA:FALSE'] },
  'below-none': { by: 'no-authority', extensions: server() },
};

/** Authorities first; each of the others is made once, all beside one another. */
beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  directory = await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  const deep = (name: string): number => {
    const by = RECIPES[name]?.by;
    return by === undefined ? 0 : 1 + deep(by);
  };
  for (const depth of [0, 1, 2]) {
    const level = Object.entries(RECIPES).filter(([name]) => deep(name) === depth);
    await Promise.all(level.map(([name, recipe]) => issue(directory, name, recipe)));
  }
  await openssl('dsaparam', '-genkey', '-noout', '-out', join(directory, 'dsa.param'), '1024');
  const key = ['-key', join(directory, 'dsa.param')];
  await issue(directory, 'dsa', { key, extensions: server() });
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function verdictOn(chain: string[], keyOf = chain[0], terms: Partial<Terms> = {}): Promise<Verdict> {
  const read = (name: string) => readFile(join(directory, name));
  const certificates = await Promise.all(
    chain.map(async (name) => new X509Certificate(await read(`${name}.pem`))),
  );
  const file = keyOf === 'dsa' ? 'dsa.param' : `${keyOf}.key`;
  return judge(
    { chain: certificates, key: createPrivateKey(await read(file)) },
    { host: HOST, protocol, ...terms },
  );
}

const NONE: Verdict = { faults: [], warnings: [] };

test.each([
  ['with every authority', ['own', 'middle', 'root']],
  ['self-signed', ['alone']],
  ['directly below the root', ['rsa', 'root']],
  ['below a root that signed itself with SHA-1', ['below-sha1-root', 'sha1-root']],
])('nothing is wrong with a certificate %s', async (_what, chain) => {
  expect(await verdictOn(chain)).toEqual(NONE);
});

const MISSING = (issuer: string, who: string) => [
  'chain-incomplete',
  `the certificate of CN=${issuer}, which issued ${who}, is missing`,
  'name the file with the certificates of the authorities: --ca FILE, or SSL_CA_CERTIFICATE',
];
const ORDER = [
  'chain-order',
  'the chain is broken: its certificates are in the wrong order',
  "put them one behind the other: the server's own first, then each one's issuer: CN=own; CN=middle; CN=root",
];
const ASK = `ask for one with this name: ktadmin cert request --san ${HOST}`;
const NEW_KEY =
  'make a request with a new key: ktadmin cert request --new-key p256, or rsa2048 for old clients';
const REISSUE = 'have it issued again as a certificate for a TLS server, with';
const host = (what: string) => ['host', `the certificate is not for ${HOST}${what}`, ASK];
const weak = (what: string) => ['weak-key', `the key of the certificate ${what}`, NEW_KEY];
const refused = (why: string) => [
  'refused',
  `the certificate cannot be used: ${why}`,
  'use a certificate with RSA 2048 or P-256, and SHA-256',
];
const DIGEST = refused('it or an authority is signed with a digest that is too weak for OpenSSL');
const broken = (digest: string) => [
  'weak-signature',
  `the certificate is signed with ${digest}, which is broken`,
  'have it issued again with SHA-256 as digest: ktadmin cert request writes such a request',
];
const nothing = (type: string) => [
  'protocol',
  `SSL_MIN_VERSION and SSL_CIPHERS leave nothing with the key, which is of the type ${type}`,
  'use a certificate with RSA 2048 or P-256, or name ciphers for this key in SSL_CIPHERS',
];

const told = (list: Verdict['faults']) => list.map(({ code, message, hint }) => [code, message, hint]);

test.each([
  ['own,root,middle', ORDER],
  ['middle,own,root', ORDER],
  ['own', MISSING('middle', 'the certificate')],
  ['own,root', MISSING('middle', 'the certificate')],
  ['no-names', host(': the name stands in its subject alone (CN), where clients do not look')],
  ['nobody', host(': it has no subjectAltName')],
  ['partial', host(', but for kts*.example.com')],
  ['many', host(`, but for ${[...'abcde'].map((name) => `${name}.example.com`).join(', ')} and 2 more`)],
  ['short', weak('has 1024 bits, and 2048 are the least')],
  ['tiny', refused('its key is too short for OpenSSL'), weak('has 512 bits, and 2048 are the least')],
  ['p192', nothing('ec'), weak('has 192 bits, and 224 are the least (prime192v1)')],
  ['koblitz', nothing('ec'), weak('is on the curve secp256k1, which clients do not know')],
  ['dsa', nothing('dsa'), weak('is of the type dsa, which TLS does not speak')],
  ['sha1,root', DIGEST, broken('SHA-1')],
  ['md5,root', DIGEST, broken('MD5')],
  [
    'below-sha1,sha1-middle,root',
    DIGEST,
    [
      'weak-signature',
      'the authority CN=sha1-middle is signed with SHA-1, which is broken',
      'have the certificate issued by an authority that is itself signed with SHA-256',
    ],
  ],
  [
    'mute',
    [
      'key-usage',
      'the certificate does not let its key sign (keyUsage has no digitalSignature)',
      `${REISSUE} digitalSignature in keyUsage`,
    ],
  ],
  [
    'client',
    [
      'key-usage',
      'the certificate is not for servers (extendedKeyUsage has no serverAuth)',
      `${REISSUE} serverAuth in extendedKeyUsage`,
    ],
  ],
  [
    'below-none,no-authority,root',
    [
      'authority',
      'CN=no-authority issued a certificate of the chain, and is no authority (CA:FALSE)',
      'have the certificate issued by an authority',
    ],
  ],
])('%s: the faults', async (chain, ...expected) => {
  const files = chain.split(',');
  const { faults, warnings } = await verdictOn(files, files.includes('own') ? 'own' : files[0]);
  expect({ faults: told(faults), warnings }).toEqual({ faults: expected, warnings: [] });
});

test.each([
  ['own,middle', MISSING('root', 'the authority CN=middle')],
  [
    'own,middle,root,other',
    [
      'chain-order',
      'CN=other: no part of the chain',
      'leave it out of the files, clients have no use for it',
    ],
  ],
  ['ed25519', weak('is of the type ed25519, which browsers and older clients do not know')],
  [
    'authority',
    [
      'authority',
      'the certificate is that of a self-signed authority (CA:TRUE), and some clients refuse it for a server',
      'ktadmin cert self-sign makes one for a server, or ktadmin cert request a request for one',
    ],
  ],
])('%s: a warning', async (chain, expected) => {
  const { faults, warnings } = await verdictOn(chain.split(','));
  expect({ faults, warnings: told(warnings) }).toEqual({ faults: [], warnings: [expected] });
});

test('a key that belongs to none of the certificates', async () => {
  const { faults } = await verdictOn(['alone'], 'other');
  expect(told(faults)).toEqual([
    [
      'key-mismatch',
      'the key does not belong to the certificate',
      'put the key and the certificate of one request there',
    ],
  ]);
});

test('every fault is told at once', async () => {
  const { faults } = await verdictOn(['client', 'root'], 'own', {
    host: 'b.example.com',
    now: new Date(Date.now() + 3e11),
    protocol: { ...protocol, SSL_CIPHERS: 'AES-256' },
  });
  expect(faults.map(({ code }) => code)).toEqual([
    ...['protocol', 'key-mismatch', 'expired', 'expired', 'host', 'key-usage'],
  ]);
});
