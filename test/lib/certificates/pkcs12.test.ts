import { chmod, writeFile } from 'node:fs/promises';
import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Assembly } from '../../../src/lib/certificates/candidate.ts';
import { chainOfFiles, type Files, faultsOfFiles } from '../../support/assembled.ts';
import { type Material, makeMaterial, PASSWORD } from '../../support/material.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

/** Where the programs of a test are looked for. */
const place = vi.hoisted(() => ({ path: '' }));
vi.mock('../../../src/lib/core/config.ts', async (original) => ({
  ...(await original<object>()),
  childEnvironment: () => ({ PATH: place.path, HOME: '/', LC_ALL: 'C.UTF-8' }),
}));

let made: Material;
const chainOf = (files: Files, more?: Partial<Assembly>) => chainOfFiles(made, files, more);
const faultsOf = (files: Files, more?: Partial<Assembly>) => faultsOfFiles(made, files, more);
const password = async () => PASSWORD;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  made = await makeMaterial(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)));
  const locked = `-passout file:${made.at('password')}`;
  const own = 'pkcs12 -export -inkey @own.key -in @own.pem';
  await made.openssl(`${own} -certfile @root.pem ${locked} -out @own.p12`);
  await made.openssl(`${own} -certfile @root.pem -legacy ${locked} -out @legacy.p12`);
  await made.openssl(`${own} -nomac ${locked} -out @nomac.p12`);
  await made.openssl(`${own} -certfile @root.pem -passout pass: -out @empty.p12`);
  await made.openssl(`${own} -nomac -keypbe NONE -certpbe NONE -passout pass: -out @open.p12`);
  await made.openssl(`pkcs12 -export -nokeys -in @root.pem ${locked} -out @root.p12`);
  // Its own certificate comes last, behind another's.
  await made.write('mixed.pem', (await made.text('root.pem')) + (await made.text('other.pem')));
  await made.openssl(`${own} -certfile @mixed.pem ${locked} -out @mixed.p12`);
  await made.openssl(`pkcs12 -export -nokeys -in @mixed.pem -certfile @own.pem ${locked} -out @no-key.p12`);
  await made.write('half.p12', (await made.bytes('own.p12')).subarray(0, 400));
  const broken = await made.bytes('open.p12');
  await made.write('broken.p12', broken.fill(0, 60, 90));
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

beforeEach(() => {
  place.path = process.env.PATH ?? '';
});

/** A directory of programs, each a line of the shell, and nothing else. */
async function only(programs: Record<string, string>): Promise<string> {
  const directory = await temporaryDirectory();
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(`${directory}/${name}`, `#!/bin/sh\n${text}\n`);
    await chmod(`${directory}/${name}`, 0o755);
  }
  return directory;
}

test.each(['own.p12', 'legacy.p12'])(
  'a PKCS#12 holds all of it, its own certificate first: %s',
  async (name) => {
    let asked = 0;
    const ask = async () => {
      asked += 1;
      return PASSWORD;
    };
    expect(await chainOf([name], { password: ask })).toBe('own root');
    expect(await chainOf([name, name, name], { password })).toBe('own root');
    expect(asked).toBe(1);
  },
);

test('certificates of others in a PKCS#12 do not count', async () => {
  expect(await chainOf(['mixed.p12'], { password })).toBe('own root');
  expect(await chainOf(['own.pem', 'own.key', 'mixed.p12'], { password })).toBe('own root');
});

test('a PKCS#12 of authorities, and one that has no code of authentication', async () => {
  expect(await chainOf(['own.pem', 'own.key', 'root.p12'], { password })).toBe('own root');
  expect(await chainOf(['nomac.p12', undefined, 'root.pem'], { password })).toBe('own root');
});

test('nobody is asked for the password of a PKCS#12 that has none', async () => {
  const ask = () => Promise.reject(new Error('asked'));
  expect(await chainOf(['empty.p12'], { password: ask })).toBe('own root');
  expect(await chainOf(['open.p12', undefined, 'root.pem'], { password: ask })).toBe('own root');
});

test.each(['own.p12', 'legacy.p12', 'nomac.p12'])(
  'without the password, and with a wrong one: %s',
  async (name) => {
    expect(await faultsOf([name])).toEqual([
      `password-needed | ${name} has a password | give it with --password-script COMMAND or --password-file FILE`,
    ]);
    expect(await faultsOf([name], { password: async () => 'wrong' })).toEqual([
      `password-wrong | ${name} does not open with the password that was given | openssl pkcs12 -in ${name} -noout asks for the password, to try it by hand`,
    ]);
  },
);

test('a PKCS#12 without a key', async () => {
  expect(await faultsOf(['no-key.p12'], { password })).toEqual([
    'no-key | there is no private key for no-key.p12 | name it with --key FILE, put it into the file of the certificate, or begin with ktadmin cert request, which keeps one',
  ]);
});

test('a PKCS#12 that is damaged', async () => {
  expect(await faultsOf(['broken.p12'])).toEqual([
    'not-recognized | broken.p12 is a damaged PKCS#12 | copy it here again, in binary mode',
  ]);
  const copy = 'PEM, DER, PKCS#7, PKCS#12 and JKS are; copy it here again if it is one of them';
  expect(await faultsOf(['half.p12'])).toEqual([
    `not-recognized | half.p12 holds neither a certificate nor a key that is recognized | ${copy}`,
  ]);
});

const byHand = (name: string) =>
  `where OpenSSL has its old ciphers: (umask 077; openssl pkcs12 -legacy -in ${name} -aes256 -out ${name}.pem), then name ${name}.pem`;

test('where openssl is missing, what to type elsewhere is told', async () => {
  place.path = await only({});
  expect(await faultsOf(['own.p12'], { password })).toEqual([
    `not-converted | own.p12 cannot be opened here: the program openssl is not installed | ${byHand('own.p12')}`,
  ]);
});

test('where openssl lacks its old ciphers, what to type elsewhere is told', async () => {
  const real = process.env.PATH ?? '';
  place.path = await only({ openssl: `OPENSSL_MODULES=/nowhere PATH='${real}' exec openssl "$@"` });
  expect(await faultsOf(['legacy.p12'], { password })).toEqual([
    `not-converted | legacy.p12 cannot be opened here: OpenSSL lacks the ciphers that it is encrypted with | ${byHand('legacy.p12')}`,
  ]);
});

test('what is typed by hand gives a file that is taken', async () => {
  const same = await made.write('same', PASSWORD);
  const locked = `-passin file:${made.at('password')} -passout file:${same}`;
  await made.openssl(`pkcs12 -legacy -in @legacy.p12 -aes256 -out @legacy.p12.pem ${locked}`);
  expect(await chainOf(['legacy.p12.pem'], { password })).toBe('own root');
});

test('neither an argument nor a variable of openssl holds the password, nor any file', async () => {
  const log = `${await temporaryDirectory()}/log`;
  const real = process.env.PATH ?? '';
  const listing = 'cat /proc/$$/cmdline /proc/$$/environ; ls -l /proc/$$/fd';
  place.path = await only({ openssl: `PATH='${real}'; (${listing}) >>${log}; exec openssl "$@"` });
  expect(await chainOf(['legacy.p12'], { password })).toBe('own root');
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(log, 'utf8');
  expect(text).toContain('fd:3');
  expect(text).toMatch(/3 -> (?:socket|pipe):/);
  expect(text).not.toContain(PASSWORD);
});
