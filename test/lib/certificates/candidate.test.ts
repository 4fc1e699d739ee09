import { createPrivateKey } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import type { Assembly } from '../../../src/lib/certificates/candidate.ts';
import { failure } from '../../../src/lib/core/errors.ts';
import { passwordOf } from '../../../src/lib/tls/password.ts';
import { assembleFiles, chainOfFiles, type Files, faultsOfFiles } from '../../support/assembled.ts';
import { type Material, makeMaterial, PASSWORD } from '../../support/material.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

let made: Material;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  made = await makeMaterial(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)));
  const password = `file:${made.at('password')}`;
  await made.openssl(`pkey -in @own.key -aes256 -passout ${password} -out @pkcs8.key`);
  await made.openssl(`ec -in @own.key -aes256 -passout ${password} -out @old.key`);
  await made.openssl(`pkcs8 -topk8 -in @own.key -outform DER -passout ${password} -out @locked.der`);
  const legacy = '-provider legacy -provider default';
  await made.openssl(`ec -in @own.key -des -passout ${password} -out @des.key ${legacy}`);
  await made.openssl('crl2pkcs7 -nocrl -certfile @root.pem -certfile @own.pem -out @both.p7b');
  await made.openssl('x509 -in @own.pem -outform DER -out @own.der');
  await made.openssl('pkey -in @own.key -outform DER -out @own.key.der');
  await made.openssl('req -new -key @own.key -subj /CN=own -out @own.csr');
  await made.write('all.pem', [await made.text('own.key'), await made.text('own.pem')].join(''));
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const assembled = (files: Files, more?: Partial<Assembly>) => assembleFiles(made, files, more);
const chainOf = (files: Files, more?: Partial<Assembly>) => chainOfFiles(made, files, more);
const faultsOf = (files: Files, more?: Partial<Assembly>) => faultsOfFiles(made, files, more);

test('a certificate, its key and its authorities, each in a form of its own', async () => {
  expect(await chainOf(['own.pem', 'own.key', 'root.pem'])).toBe('own root');
  expect(await chainOf(['own.der', 'own.key.der', 'root.pem'])).toBe('own root');
  expect(await chainOf(['all.pem', undefined, 'root.pem'])).toBe('own root');
  expect(await chainOf(['both.p7b', 'own.key'])).toBe('own root');
  expect(await chainOf(['own.pem', 'own.key', 'both.p7b'])).toBe('own root');
  expect(await chainOf(['both.p7b', 'own.key', 'root.pem'])).toBe('own root');
});

test('the key that is named goes before that in the file of the certificate, whose own certificates do not count', async () => {
  await made.write('wrong.pem', [await made.text('other.key'), await made.text('own.pem')].join(''));
  await made.write('store.pem', [await made.text('own.key'), await made.text('other.pem')].join(''));
  expect(await chainOf(['wrong.pem', 'store.pem', 'root.pem'])).toBe('own root');
});

test('a spare key is taken where it belongs to the certificate', async () => {
  const [own, other] = await Promise.all(
    ['own.key', 'other.key'].map(async (name) => createPrivateKey(await made.text(name))),
  );
  if (own === undefined || other === undefined) throw new Error('no keys');
  expect(await chainOf(['own.pem', undefined, 'root.pem'], { spareKeys: [other, own] })).toBe('own root');
  expect(await faultsOf(['own.pem', undefined, 'root.pem'], { spareKeys: [other] })).toEqual([
    'no-key | there is no private key for own.pem | name it with --key FILE, put it into the file of the certificate, or begin with ktadmin cert request, which keeps one',
  ]);
});

test.each(['pkcs8.key', 'old.key', 'locked.der', 'des.key'])('a key with a password: %s', async (key) => {
  let asked = 0;
  const password = async () => {
    asked += 1;
    return PASSWORD;
  };
  expect(await chainOf(['own.pem', key, 'root.pem'], { password })).toBe('own root');
  expect(asked).toBe(1);
  expect(await faultsOf(['own.pem', key, 'root.pem'])).toEqual([
    `password-needed | ${key} has a password | give it with --password-script COMMAND or --password-file FILE`,
  ]);
  const attempt =
    key === 'des.key'
      ? 'openssl pkey -provider legacy -provider default -in des.key'
      : `openssl pkey -in ${key}`;
  expect(await faultsOf(['own.pem', key, 'root.pem'], { password: async () => 'wrong' })).toEqual([
    `password-wrong | ${key} does not open with the password that was given | ${attempt} -noout asks for the password, to try it by hand`,
  ]);
});

test('nobody is asked for a password that is not needed', async () => {
  const password = () => Promise.reject(new Error('asked'));
  expect(await chainOf(['own.pem', 'own.key', 'root.pem'], { password })).toBe('own root');
});

const HINT = 'it must print the password of SSL_PRIVATE_KEY, and end with status 0 within 10 seconds';

test.each([
  ['fails', '/bin/false', 'failed (exit status 1)'],
  ['is missing', '/nowhere/script', 'names a program that cannot be run'],
  ['hangs', '/bin/sleep 60', 'did not end in time'],
  ['prints nothing', '/bin/true', 'printed nothing'],
  ['prints two lines', `/usr/bin/printf 'a\\nb\\n'`, 'printed more than one line'],
])('a password script that %s', async (_what, script, reason) => {
  const password = () => passwordOf(script, undefined, 500);
  expect(await faultsOf(['own.pem', 'pkcs8.key', 'root.pem'], { password })).toEqual([
    `password-script | SSL_PRIVATE_KEY_PASSWORD_SCRIPT ${reason} | ${HINT}`,
  ]);
});

test('a password script may print the end of a line', async () => {
  await made.write('line', `${PASSWORD}\n`);
  const password = () => passwordOf(`/bin/cat ${made.at('line')}`);
  expect(await chainOf(['own.pem', 'pkcs8.key', 'root.pem'], { password })).toBe('own root');
});

test('everything that is wrong is told at once', async () => {
  await made.write('several.key', (await made.text('own.key')) + (await made.text('other.key')));
  await made.write('damaged.pem', (await made.text('own.pem')).replace(/\n.*\n/, '\n*\n'));
  await made.write('text', 'hello');
  const copy = 'PEM, DER, PKCS#7, PKCS#12 and JKS are; copy it here again if it is one of them';
  expect(await faultsOf(['damaged.pem', 'several.key', 'text'])).toEqual([
    'not-recognized | damaged.pem: the certificate in line 1 is damaged | copy it again',
    `not-recognized | text holds neither a certificate nor a key that is recognized | ${copy}`,
    'several-keys | several.key holds 2 private keys | leave in it the one that belongs to the certificate',
  ]);
  expect(await faultsOf(['gone.pem', 'gone.key', 'gone.ca'])).toEqual(
    ['gone.pem', 'gone.key', 'gone.ca'].map(
      (name) => `missing | ${name} is missing | correct the path, or put the file there`,
    ),
  );
});

test('files in the place of others', async () => {
  const name = 'name the file with the certificate that the authority issued';
  expect(await faultsOf(['own.csr', 'own.key'])).toEqual([
    `no-certificate | own.csr holds no certificate, only a request for one | ${name}`,
  ]);
  expect(await faultsOf(['own.key', 'own.pem', 'own.key'])).toEqual([
    'no-certificate | own.key holds no certificate | own.pem holds one: the two files seem to be exchanged',
    `no-certificate | own.key holds no certificate | ${name}`,
    'no-key | own.pem holds no private key | name it with --key FILE, put it into the file of the certificate, or begin with ktadmin cert request, which keeps one',
  ]);
});

test('a key that cannot be read although it is framed well', async () => {
  await made.write('odd.key', '-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n');
  expect(await faultsOf(['own.pem', 'odd.key', 'root.pem'])).toEqual([
    'not-recognized | the private key in odd.key cannot be read | openssl pkey -in odd.key -noout says more',
  ]);
});

test('a defect of the password source is not hidden, and its refusal is a fault', async () => {
  const files: Files = ['own.pem', 'pkcs8.key', 'root.pem'];
  const broken = new Error('broken');
  await expect(assembled(files, { password: () => Promise.reject(broken) })).rejects.toBe(broken);
  const password = () => Promise.reject(failure('usage', 'no terminal', 'use a script'));
  expect(await faultsOf(files, { password })).toEqual(['password-script | no terminal | use a script']);
});

test.each<[string, string, string]>([
  ['empty.pem', 'own.key', 'empty | empty.pem is empty | copy the file there again'],
  ['', 'own.key', `directory | DIRECTORY is a directory | name the file in it`],
  ['gone.pem', 'own.key', 'missing | gone.pem is missing | correct the path, or put the file there'],
  ['own.csr', 'own.key', 'no-certificate | own.csr holds no certificate, only a request for one'],
  ['cut.pem', 'own.key', 'not-recognized | cut.pem: the certificate in line 1 is damaged | copy it again'],
  ['cut-chain.pem', 'own.key', 'not-recognized | cut-chain.pem: the certificate in line 1 is damaged'],
  ['own.pem', 'root.key', 'key-mismatch | the key does not belong to the certificate'],
])('defect: an authority was judged as the certificate of the server: %s, %s', async (name, key, fault) => {
  const own = await made.text('own.pem');
  await made.write('empty.pem', '');
  await made.write('cut.pem', own.slice(0, own.length / 2));
  await made.write('cut-chain.pem', own.replace(/\n.*\n/, '\n*\n') + (await made.text('root.pem')));
  const told = await faultsOrMismatch([name, key, 'root.pem']);
  expect(told).toHaveLength(1);
  expect(told[0]?.replace(made.at('').replace(/\/$/, ''), 'DIRECTORY')).toContain(fault);
});

/** Faults and warnings, also where there is a certificate with a key. */
async function faultsOrMismatch(files: Files): Promise<string[]> {
  const { faults, warnings } = await assembled(files);
  return [...faults, ...warnings].map(({ code, message, hint }) =>
    [code, message, hint].join(' | ').replaceAll(made.at('x').slice(0, -1), ''),
  );
}

test('the key chooses the certificate among those of its file, in whatever order', async () => {
  await made.write('turned.pem', (await made.text('root.pem')) + (await made.text('own.pem')));
  expect(await faultsOrMismatch(['turned.pem', 'own.key'])).toEqual([
    "chain-order | the chain is broken: its certificates are in the wrong order | put them one behind the other: the server's own first, then each one's issuer: CN=own; CN=root",
  ]);
});
