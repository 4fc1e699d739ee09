import { chmod, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Assembly } from '../../../src/lib/certificates/candidate.ts';
import { chainOfFiles, type Files, faultsOfFiles } from '../../support/assembled.ts';
import { type Material, makeMaterial } from '../../support/material.ts';
import { run, temporaryDirectory } from '../../support/sandbox.ts';

/** Where the programs of a test are looked for. */
const place = vi.hoisted(() => ({ path: '' }));
vi.mock('../../../src/lib/core/config.ts', async (original) => ({
  ...(await original<object>()),
  childEnvironment: () => ({ PATH: place.path, HOME: '/', LC_ALL: 'C.UTF-8' }),
}));

const found = await run('sh', ['-c', 'command -v keytool openssl']);
const [keytoolPath = '', opensslPath = ''] = found.stdout.trim().split('\n');
const withJava = test.skipIf(found.status !== 0);
if (found.status !== 0)
  console.warn('skipped: keytool is not installed (apt-get install default-jre-headless)');

let made: Material;
const chainOf = (files: Files, more?: Partial<Assembly>) => chainOfFiles(made, files, more);
const faultsOf = (files: Files, more?: Partial<Assembly>) => faultsOfFiles(made, files, more);
/** Java's PKCS#12 takes no other characters than those of ASCII. */
const PASSWORD = 'green tree';
const password = async () => PASSWORD;

async function keytool(command: string, store: string, words: string): Promise<void> {
  const args = [`-${command}`, '-noprompt', ...words.split(' ')].map((word) =>
    word.startsWith('@') ? made.at(word.slice(1)) : word,
  );
  const to = command === 'importkeystore' ? 'dest' : '';
  const own = [`-${to}keystore`, made.at(store), `-${to}storepass:file`, made.at('password')];
  const java = ['-J-XX:-UsePerfData', '-J-Dfile.encoding=UTF-8'];
  const done = await run(keytoolPath, [...java, ...args, ...own]);
  if (done.status !== 0) throw new Error(done.stdout + done.stderr);
}

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  made = await makeMaterial(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)));
  await made.write('password', PASSWORD);
  await made.write('damaged.jks', Buffer.from('feedfeed000000020000000100', 'hex'));
  if (found.status === 0) await makeStores();
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function makeStores(): Promise<void> {
  const locked = `-passout file:${made.at('password')}`;
  for (const name of ['own', 'other'])
    await made.openssl(
      `pkcs12 -export -name ${name} -inkey @${name}.key -in @${name}.pem -certfile @root.pem ${locked} -out @${name}.p12`,
    );
  const from = (name: string) => `-srckeystore @${name}.p12 -srcstorepass:file @password`;
  for (const type of ['jks', 'jceks'])
    await keytool('importkeystore', `own.${type}`, `${from('own')} -deststoretype ${type}`);
  await keytool('importcert', 'own.jks', '-alias root -file @root.pem');
  await made.write('several.jks', await made.bytes('own.jks'));
  await keytool('importkeystore', 'several.jks', `${from('other')} -deststoretype jks`);
  await made.write('apart.jks', await made.bytes('own.jks'));
  await keytool('keypasswd', 'apart.jks', '-alias own -keypass:file @password -new another');
}

beforeEach(() => {
  place.path = process.env.PATH ?? '';
});

/** What this process has left below /tmp. */
const leftovers = async () =>
  (await readdir('/tmp')).filter((name) => name.startsWith('ktjks-') && name.includes(`-${process.pid}-`));

withJava.each(['own.jks', 'own.jceks'])('a store of Java: %s', async (name) => {
  let asked = 0;
  const ask = async () => {
    asked += 1;
    return PASSWORD;
  };
  expect(await chainOf([name], { password: ask })).toBe('own root');
  expect(asked).toBe(1);
  expect(await leftovers()).toEqual([]);
});

test('without its password a store of Java is not opened', async () => {
  place.path = '/nowhere';
  expect(await faultsOf(['damaged.jks'])).toEqual([
    'password-needed | damaged.jks has a password | give it with --password-script COMMAND or --password-file FILE',
  ]);
});

withJava('a store of Java with a wrong password', async () => {
  expect(await faultsOf(['own.jks'], { password: async () => 'wrong1' })).toEqual([
    'password-wrong | own.jks does not open with the password that was given | keytool -list -keystore own.jks asks for the password, to try it by hand',
  ]);
  expect(await leftovers()).toEqual([]);
});

withJava('a store of Java with two keys', async () => {
  expect(await faultsOf(['several.jks', undefined, 'root.pem'], { password })).toEqual([
    'several-keys | several.jks holds 2 private keys | keytool -list -keystore several.jks shows their names, and keytool -importkeystore -srcalias NAME copies one',
  ]);
});

const byHand = (name: string) =>
  `where Java is installed: keytool -importkeystore -srckeystore ${name} -destkeystore ${name}.p12 -deststoretype PKCS12, then name ${name}.p12`;

withJava('a store of Java whose key has another password', async () => {
  expect(await faultsOf(['apart.jks'], { password })).toEqual([
    `not-converted | apart.jks cannot be opened here: a key in it has another password than the store | ${byHand('apart.jks')}`,
  ]);
});

withJava('a store of Java that is damaged', async () => {
  expect(await faultsOf(['damaged.jks'], { password })).toEqual([
    'not-recognized | damaged.jks is a damaged JKS | copy it here again, in binary mode',
  ]);
});

test('where keytool is missing, what to type elsewhere is told', async () => {
  place.path = await temporaryDirectory();
  await symlink(opensslPath === '' ? '/usr/bin/openssl' : opensslPath, `${place.path}/openssl`);
  expect(await faultsOf(['damaged.jks'], { password })).toEqual([
    `not-converted | damaged.jks cannot be opened here: the program keytool is not installed | ${byHand('damaged.jks')}`,
  ]);
  expect(await leftovers()).toEqual([]);
});

withJava('the password is in private files alone, and in no argument or variable of keytool', async () => {
  const directory = await temporaryDirectory();
  const real = process.env.PATH ?? '';
  const files = `stat -c '%a %F %n' /tmp/ktjks-*-${process.pid}-* /tmp/ktjks-*-${process.pid}-*/*`;
  const listing = `(cat /proc/$$/cmdline /proc/$$/environ; echo; ${files}) >${directory}/log`;
  await writeFile(`${directory}/keytool`, `#!/bin/sh\nPATH='${real}'; ${listing}; exec keytool "$@"\n`);
  await chmod(`${directory}/keytool`, 0o755);
  place.path = `${directory}:${real}`;
  expect(await chainOf(['own.jks'], { password })).toBe('own root');
  const text = await readFile(`${directory}/log`, 'utf8');
  expect(text).not.toContain(PASSWORD);
  const modes = text.split('\n').filter((line) => / \/tmp\/ktjks-/.test(line));
  expect(modes.map((line) => line.replace(/ \/tmp.*(?=\/)/, ' ').replace(/\/ktjks-.*/, ''))).toEqual([
    '700 directory ',
    ...['in', 'own', 'password'].map((name) => `600 regular file /${name}`),
  ]);
});

withJava('what is typed by hand gives a file that is taken', async () => {
  const words = `-srckeystore @own.jks -srcstorepass:file @password -deststoretype PKCS12`;
  await keytool('importkeystore', 'own.jks.p12', words);
  expect(await chainOf(['own.jks.p12'], { password })).toBe('own root');
});
