/** Where `cert rotate` takes certificates, keys and passwords from; on a server that does not run. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readPair } from '../../../src/lib/tls/pair.ts';
import { type Authority, authority, configurationOf, storeOf } from '../../support/authority.ts';
import { give, tree } from '../../support/faults.ts';
import { checksums, sharedServer, temporaryDirectory, withoutDrop } from '../../support/sandbox.ts';
import { ktadminOnTerminal } from '../../support/terminal.ts';

const server = sharedServer();
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const directory = await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  ca = await authority(directory, 'kts01.example.com');
  for (const name of ['plain', 'locked', 'typed', 'mine', 'store']) await ca.issue(name);
  await writeFile(ca.at('pass word'), 'grün 1\n', { mode: 0o600 });
  await give(ca.at('pass word'));
  for (const name of ['locked', 'typed']) {
    await ca.openssl(
      ...['pkcs8', '-topk8', '-in', ca.at(`${name}.key`), '-out', ca.at(`${name}.locked`)],
      ...['-passout', `file:${ca.at('pass word')}`, '-v2', 'aes-256-cbc'],
    );
    await give(ca.at(`${name}.locked`));
  }
  await ca.openssl(
    ...['pkcs12', '-export', '-in', ca.at('store.pem'), '-inkey', ca.at('store.key')],
    ...['-certfile', ca.at('ca.pem'), '-out', ca.at('store.p12'), '-passout', `file:${ca.at('pass word')}`],
  );
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const named = (name: string, key = `${name}.key`) => [
  ...['cert', 'rotate', '--cert', ca.at(`${name}.pem`), '--key', ca.at(key), '--ca', ca.at('ca.pem')],
];

/** What a server that starts now would present, and how its key lies there. */
async function ready(): Promise<{ subject: string; script: unknown; isLocked: boolean }> {
  const settings = (await configurationOf(server)) as never;
  const { chain } = await readPair(settings);
  const { SSL_PRIVATE_KEY: path, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script } = settings as Record<
    string,
    string
  >;
  const isLocked = (await readFile(`${path}`, 'utf8')).includes('ENCRYPTED');
  return { subject: `${chain[0]?.subject}`, script, isLocked };
}

test('a key keeps its password, which a script prints', async () => {
  const script = join(ca.at('script'));
  await writeFile(script, `#!/bin/sh\ncat '${ca.at('pass word')}'\n`);
  await chmod(script, 0o755);
  const done = await server.ktadmin([...named('locked', 'locked.locked'), '--password-script', script]);
  expect([done.status, withoutDrop(done.stderr)]).toEqual([0, '']);
  expect(await ready()).toEqual({ subject: 'CN=locked', script, isLocked: true });
});

test('a certificate for the key in use keeps the password of that key', async () => {
  const { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script } = await configurationOf(server);
  await ca.openssl(
    ...['req', '-new', '-x509', '-key', ca.at('locked.key'), '-subj', '/CN=renewed', '-days', '90'],
    ...['-config', ca.at('openssl.cnf'), '-CA', ca.at('ca.pem'), '-CAkey', ca.at('ca.key')],
    ...['-addext', 'subjectAltName=DNS:kts01.example.com', '-out', ca.at('renewed.pem')],
  );
  const words = ['cert', 'rotate', '--cert', ca.at('renewed.pem'), '--ca', ca.at('ca.pem')];
  const done = await server.ktadmin(words);
  expect([done.status, withoutDrop(done.stderr)]).toEqual([0, '']);
  expect(await ready()).toEqual({ subject: 'CN=renewed', script, isLocked: true });
});

test('a PKCS#12 is taken apart, and its key locked with the password that a file holds', async () => {
  const words = ['cert', 'rotate', '--cert', ca.at('store.p12'), '--password-file', ca.at('pass word')];
  const done = await server.ktadmin(words);
  expect([done.status, withoutDrop(done.stderr)]).toEqual([
    0,
    expect.stringContaining('backups do not hold'),
  ]);
  const script = `cat '${ca.at('pass word')}'`;
  expect(await ready()).toEqual({ subject: 'CN=store', script, isLocked: true });
});

test('a password that is typed is not kept', async () => {
  const screen = await ktadminOnTerminal(server, named('typed', 'typed.locked'), {
    typing: [['Password of the private key', 'grün 1\r']],
  });
  expect(screen.text).toContain(
    'the key is stored without its password: only the service account can read it',
  );
  expect(screen.status).toBe(0);
  expect(await ready()).toEqual({ subject: 'CN=typed', script: undefined, isLocked: false });
});

test('files are used where they lie', async () => {
  const done = await server.ktadmin([...named('mine'), '--in-place', '--json']);
  const files = {
    SSL_CERTIFICATE: ca.at('mine.pem'),
    SSL_PRIVATE_KEY: ca.at('mine.key'),
    SSL_CA_CERTIFICATE: ca.at('ca.pem'),
  };
  expect(JSON.parse(done.stdout)).toMatchObject({ place: 'in-place', files, isChanged: true });
  expect(await configurationOf(server)).toMatchObject(files);
});

test('the key that cert request made comes into use with its certificate, and waits no more', async () => {
  await server.ktadmin(['cert', 'request', '--new-key', 'p256', '--out', ca.at('asked.csr')]);
  await ca.openssl(
    ...['x509', '-req', '-in', ca.at('asked.csr'), '-CA', ca.at('ca.pem'), '-CAkey', ca.at('ca.key')],
    ...['-copy_extensions', 'copy', '-days', '30', '-out', ca.at('asked.pem')],
  );
  expect(await storeOf(server)).toContain('pending');
  const words = ['cert', 'rotate', '--pending', '--cert', ca.at('asked.pem'), '--ca', ca.at('ca.pem')];
  const done = await server.ktadmin(words);
  expect([done.status, done.stdout.includes('in use now: ')]).toEqual([0, true]);
  expect(await storeOf(server)).not.toContain('pending');
  expect((await ready()).subject).toContain('CN=kts01.example.com');
});

test('a self-signed certificate is made and put to use, at once or from where it waits', async () => {
  const own = 'CN=kts01.example.com\nemailAddress=keytrustee@kts01.example.com';
  const nothing = await server.ktadmin(['cert', 'rotate', '--pending']);
  expect([nothing.status, withoutDrop(nothing.stderr)]).toEqual([
    5,
    `ktadmin: error: no certificate waits in ${server.confdir}/.ssl/pending\nktadmin: hint: ktadmin cert self-sign makes one; for the certificate that answers a request, add --cert FILE\n`,
  ]);
  const done = await server.ktadmin(['cert', 'rotate', '--self-sign', '--days', '90', '--san', '192.0.2.7']);
  expect([done.status, done.stdout.includes('(89 days)')]).toEqual([0, true]);
  expect(await ready()).toEqual({ subject: own, script: undefined, isLocked: false });
  expect((await server.ktadmin(['cert', 'self-sign', '--days', '60'])).status).toBe(0);
  const waited = await server.ktadmin(['cert', 'rotate', '--pending']);
  expect([waited.status, waited.stdout.includes('(59 days)')]).toEqual([0, true]);
  expect(await storeOf(server)).not.toContain('pending');
});

test('a dry run tells each step and changes nothing', async () => {
  const before = [await tree(server.confdir), await checksums(server.confdir)];
  const done = await server.ktadmin([...named('plain'), '--dry-run']);
  const { confdir } = server;
  const store = `${confdir}/.ssl`;
  const until = /until (\S+)/.exec(done.stdout)?.[1];
  expect([done.status, withoutDrop(done.stderr), done.stdout.split('\n')]).toEqual([
    0,
    '',
    [
      `1. checked: CN=plain, until ${until}`,
      `2. copy what is in use to ${store}/kept-TIME`,
      `3. write it to ${store}/TIME`,
      `4. have ${confdir}/keytrustee.conf name ${store}/TIME`,
      '5. no server runs: nothing is probed',
      '6. record certificate.rotate',
      'nothing was changed',
      '',
    ],
  ]);
  const back = await server.ktadmin(['cert', 'rollback', '--dry-run', '--json']);
  expect((JSON.parse(back.stdout) as { steps: string[] }).steps.at(-2)).toBe('record certificate.rollback');
  expect([await tree(server.confdir), await checksums(server.confdir)]).toEqual(before);
});

test.each([
  [[], 'no certificate is named'],
  [['--self-sign', '--pending'], '--self-sign makes certificate and key itself'],
  [['--pending', '--key', '/k'], '--pending is the key that waits'],
  [['--pending', '--in-place'], '--in-place is for files that are named'],
  [['--cert', '/c', '--days', '9'], '--days and --san are for --self-sign'],
  [
    ['--cert', '/c', '--password-script', 'x', '--password-file', '/y'],
    '--password-script and --password-file exclude each other',
  ],
])('%j is refused', async (words, message) => {
  const refused = await server.ktadmin(['cert', 'rotate', ...words]);
  expect([refused.status, refused.stderr.split('\n')[0]]).toEqual([2, `ktadmin: error: ${message}`]);
});
