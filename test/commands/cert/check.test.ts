/** `ktadmin cert check`: what is in use, what is handed over, where it lies, and its password. */
import { chmod, chown, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { AUTHORITY, issue, openssl, SERVER } from '../../support/openssl.ts';
import { said } from '../../support/refusal.ts';
import { asAccount, checksums, isRoot, type TestServer, testServer, world } from '../../support/sandbox.ts';
import { configure } from '../../support/serving.ts';
import { hasTerminal, ktadminOnTerminal } from '../../support/terminal.ts';

let server: TestServer;
let given = '';
const at = (name: string) => join(given, name);
const me = world.account.name;

/** The files lie where only whoever runs the command can enter, as those of certbot do. */
beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  server = await testServer({ start: false, atEnd: (cleanUp) => void cleanUps.unshift(cleanUp) });
  given = join(server.directory, 'given');
  await mkdir(given, { mode: 0o700 });
  await issue(given, 'root', { extensions: AUTHORITY, days: 1000 });
  await issue(given, 'own', { by: 'root', extensions: [...SERVER, 'subjectAltName=DNS:kts01.example.com'] });
  await issue(given, 'bad', { by: 'root', extensions: [...SERVER, 'subjectAltName=DNS:b.example.com'] });
  await openssl('pkey', '-in', at('own.key'), '-aes256', '-passout', 'pass:right', '-out', at('locked.key'));
  await writeFile(at('password'), 'right\n', { mode: 0o600 });
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const check = async (...args: string[]) => said(await server.ktadmin(['cert', 'check', ...args]));
const files = (key = 'own.key') => ['--cert', at('own.pem'), '--key', at(key), '--ca', at('root.pem')];

/** What is said where there are faults: each a message and what to do. */
function faults(...list: [message: string, hint: string][]) {
  const lines = list.map(([message, hint]) => `  ${message}\n    ${hint}\n`).join('');
  const count = list.length === 1 ? '1 fault' : `${list.length} faults`;
  const stderr = `ktadmin: error: the certificate cannot be used:\n${lines}${count}\n`;
  return { status: 8, stdout: '', stderr };
}

/** The facts on a certificate as OpenSSL has them. */
async function facts(path: string, subject: string): Promise<string> {
  const print = async (...what: string[]) =>
    (await openssl('x509', '-in', path, '-noout', ...what)).trim().replace(/^.*=/, '');
  const end = new Date(await print('-enddate'));
  const left = Math.floor((end.getTime() - Date.now()) / 86_400_000);
  return [
    `subject: ${subject}\nnames: kts01.example.com`,
    `valid until: ${end.toISOString()} (${left} days left)`,
    `SHA-256: ${await print('-fingerprint', '-sha256')}\n`,
  ].join('\n');
}

test('what init made has no faults, and checking changes nothing', async () => {
  const before = await checksums(server.confdir);
  const own = join(server.confdir, '.ssl/ssl-cert-keytrustee.pem');
  const subject = 'CN=kts01.example.com, emailAddress=keytrustee@kts01.example.com';
  expect(await check()).toEqual({ status: 0, stdout: await facts(own, subject), stderr: 'no faults\n' });
  expect(await checksums(server.confdir)).toBe(before);
});

test('files that only the caller can read have no faults: they are to be copied', async () => {
  const stdout = await facts(at('own.pem'), 'CN=own');
  expect(await check(...files())).toEqual({ status: 0, stdout, stderr: 'no faults\n' });
});

test('every fault is told at once, for people and for programs', async () => {
  const args = ['--cert', at('bad.pem'), '--key', at('own.key')];
  const list: [string, string, string][] = [
    [
      'key-mismatch',
      'the key does not belong to the certificate',
      'put the key and the certificate of one request there',
    ],
    [
      'chain-incomplete',
      'the certificate of CN=root, which issued the certificate, is missing',
      'name the file with the certificates of the authorities: --ca FILE, or SSL_CA_CERTIFICATE',
    ],
    [
      'host',
      'the certificate is not for kts01.example.com, which EXTERNAL_ADDRESS names, but for b.example.com',
      'ask for one with this name: ktadmin cert request --san kts01.example.com',
    ],
  ];
  expect(await check(...args)).toEqual(faults(...list.map(([, ...told]) => told as [string, string])));
  const { status, stdout, stderr } = await check(...args, '--json');
  expect({ status, stderr }).toEqual({ status: 8, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({
    faults: list.map(([code, message, hint]) => ({ code, message, hint })),
    ...{ warnings: [], subject: 'CN=bad', names: ['b.example.com'], daysLeft: 364 },
  });
});

test('another host can be asked for', async () => {
  const other = ['--cert', at('bad.pem'), '--key', at('bad.key'), '--ca', at('root.pem')];
  expect(await check(...other, '--host', 'b.example.com')).toMatchObject({
    status: 0,
    stderr: 'no faults\n',
  });
  expect(await check(...files(), '--host', '192.0.2.1')).toEqual(
    faults([
      'the certificate is not for 192.0.2.1, but for kts01.example.com',
      'ask for one with this name: ktadmin cert request --san 192.0.2.1',
    ]),
  );
});

test('a key that is open to others counts where it stays, and not where it is copied', async () => {
  await copyFile(at('own.key'), at('open.key'));
  await chmod(at('open.key'), 0o644);
  expect(await check(...files('open.key'))).toMatchObject({ status: 0 });
  const place = join(server.directory, 'place');
  await asAccount('mkdir', ['-m', '700', place]);
  for (const name of ['own.pem', 'root.pem', 'open.key']) await copyFile(at(name), join(place, name));
  await chmod(join(place, 'open.key'), 0o644);
  const there = ['--cert', 'own.pem', '--key', 'open.key', '--ca', 'root.pem'];
  const { stderr, status } = said(
    await server.ktadmin(['cert', 'check', ...there, '--in-place'], { cwd: place }),
  );
  const expected = faults([`${place}/open.key is open to other accounts`, `chmod 600 ${place}/open.key`]);
  expect({ stderr, status }).toEqual({ stderr: expected.stderr, status: 8 });
});

test('a certificate that stays and holds no key may be read by everybody', async () => {
  const path = join(server.directory, 'alone.pem');
  await copyFile(at('own.pem'), path);
  await chmod(path, 0o644);
  const { stderr } = await check('--cert', path, '--ca', path, '--in-place');
  expect(stderr).not.toContain('open to other accounts');
});

test.skipIf(!isRoot)('files that are to stay must be reachable for the service account', async () => {
  expect(await check(...files(), '--in-place')).toEqual(
    faults([
      `${given} cannot be entered by ${me}`,
      `setfacl -m u:${me}:x ${given}, or let ktadmin cert rotate copy the files (without --in-place)`,
    ]),
  );
  const key = join(server.directory, 'theirs.key');
  await copyFile(at('own.key'), key);
  const there = [
    '--cert',
    join(server.directory, 'own.pem'),
    '--key',
    key,
    '--ca',
    join(server.directory, 'root.pem'),
  ];
  for (const name of ['own.pem', 'root.pem']) await copyFile(at(name), join(server.directory, name));
  expect(await check(...there, '--in-place')).toEqual(
    faults([
      `${key} cannot be read by ${me}`,
      `chown ${me}: ${key}, or let ktadmin cert rotate copy it (without --in-place)`,
    ]),
  );
});

test.skipIf(!isRoot)('a key of another account, and a directory of another account, are named', async () => {
  const place = join(server.directory, 'theirs');
  await asAccount('mkdir', ['-m', '755', place]);
  const key = join(place, 'own.key');
  for (const name of ['own.pem', 'root.pem', 'own.key']) await copyFile(at(name), join(place, name));
  await chown(key, 4711, 4711);
  await chmod(key, 0o604);
  await chmod(place, 0o777);
  const there = ['--cert', join(place, 'own.pem'), '--key', key, '--ca', join(place, 'root.pem')];
  expect(await check(...there, '--in-place')).toEqual(
    faults(
      [`${place} can be written to by other accounts, who can exchange what is in it`, `chmod go-w ${place}`],
      [`${key} is open to other accounts`, `chmod 600 ${key}`],
      [`${key} belongs to user id 4711, not to ${me}`, `chown ${me}: ${key}`],
    ),
  );
});

test('the password comes from a script or a file, and what is wrong with them is a fault', async () => {
  const locked = (...more: string[]) => check(...files('locked.key'), ...more);
  expect(await locked('--password-script', 'echo right')).toMatchObject({ status: 0, stderr: 'no faults\n' });
  expect(await locked()).toEqual(
    faults([
      `${at('locked.key')} has a password`,
      'give it with --password-script COMMAND or --password-file FILE',
    ]),
  );
  expect(await locked('--password-script', 'echo wrong')).toEqual(
    faults([
      `${at('locked.key')} does not open with the password that was given`,
      `openssl pkey -in ${at('locked.key')} -noout asks for the password, to try it by hand`,
    ]),
  );
  expect(await locked('--password-script', '/bin/false')).toEqual(
    faults([
      '--password-script failed (exit status 1)',
      'it must print the password of the key, and end with status 0 within 10 seconds',
    ]),
  );
  const unreadable: [string, string] = [
    `${at('password')} cannot be read by ${me}`,
    `the server reads it whenever it starts: chown ${me} ${at('password')}`,
  ];
  const told = await locked('--password-file', at('password'));
  expect(told).toMatchObject(isRoot ? faults(unreadable) : { status: 0, stderr: 'no faults\n' });
});

test.skipIf(!hasTerminal)('on a terminal the password is asked for, and not shown', async () => {
  const { status, text } = await ktadminOnTerminal(server, ['cert', 'check', ...files('locked.key')], {
    typing: [['Password of the private key', 'right\r']],
  });
  expect(status).toBe(0);
  expect(text).toContain('no faults');
  expect(text).not.toContain('right');
});

test('options that do not go together are refused', async () => {
  expect(await check('--key', at('own.key'))).toMatchObject({
    ...{ status: 2, stderr: 'ktadmin: error: no certificate is named\nktadmin: hint: add --cert FILE\n' },
  });
  expect(await check(...files(), '--password-script', 'x', '--password-file', '/x')).toMatchObject({
    ...{ status: 2, stderr: 'ktadmin: error: --password-script and --password-file exclude each other\n' },
  });
});

test('what is in use: open modes, a script that prints the password itself, a key without its script', async () => {
  const other = await testServer({ start: false });
  const ssl = join(other.confdir, '.ssl');
  const key = join(ssl, 'ssl-cert-keytrustee-pk.pem');
  const own = async () => said(await other.ktadmin(['cert', 'check']));
  await chmod(ssl, 0o755);
  await chmod(key, 0o640);
  expect(await own()).toEqual(
    faults(
      [`${ssl} is open to other accounts`, `chmod 700 ${ssl}`],
      [`${key} is open to other accounts`, `chmod 600 ${key}`],
    ),
  );
  await chmod(ssl, 0o700);
  await chmod(key, 0o600);
  const opened = await readFile(key);
  await writeFile(at('open'), opened, { mode: 0o600 });
  await writeFile(key, await openssl('pkey', '-in', at('open'), '-aes256', '-passout', 'pass:s3cr3t'));
  expect(await own()).toEqual(
    faults([`${key} has a password`, 'set SSL_PRIVATE_KEY_PASSWORD_SCRIPT to a command that prints it']),
  );
  await configure(other, { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/echo -n s3cr3t' });
  const told = await own();
  expect(told.status).toBe(0);
  expect(told.stderr).toBe(
    'ktadmin: warning: SSL_PRIVATE_KEY_PASSWORD_SCRIPT holds the password itself, and whoever lists processes sees it: let it be cat and a file of mode 0600\n  set SSL_PRIVATE_KEY_PASSWORD_SCRIPT to cat and the path of that file\nno faults, 1 warning\n',
  );
});
