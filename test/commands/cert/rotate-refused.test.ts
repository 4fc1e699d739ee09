/** What `cert rotate` says of a certificate that is refused, and of a password; on a server that does not run. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Authority, authority, configurationOf } from '../../support/authority.ts';
import { give } from '../../support/faults.ts';
import { sharedServer, temporaryDirectory, withoutDrop } from '../../support/sandbox.ts';
import { hasTerminal, ktadminOnTerminal } from '../../support/terminal.ts';

const server = sharedServer();
const STORED = 'stored without its password: only the service account can read it';
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), 'kts01.example.com');
  for (const name of ['a', 'b']) await ca.issue(name);
  for (const place of [ca.at('password'), join(server.confdir, 'tls-password')]) {
    await writeFile(place, 'right', { mode: 0o600 });
    await give(place);
  }
  const to = ['-out', ca.at('a.locked'), '-passout', `file:${ca.at('password')}`];
  await ca.openssl('pkcs8', '-topk8', '-in', ca.at('a.key'), ...to);
  await give(ca.at('a.locked'));
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const rotate = (cert: string, key: string) => [
  ...['cert', 'rotate', '--cert', ca.at(cert), '--key', ca.at(key), '--ca', ca.at('ca.pem')],
];

test('defect: programs were told of all faults in one message alone', async () => {
  const { status, stdout } = await server.ktadmin([...rotate('b.pem', 'ca.key'), '--json']);
  const message = 'the key does not belong to the certificate';
  const hint = 'put the key and the certificate of one request there';
  expect(status).toBe(8);
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'untrusted',
      message: `the certificate cannot be used:\n  ${message}\n    ${hint}`,
      hint: null,
      faults: [{ code: 'key-mismatch', message, hint }],
    },
  });
});

test.skipIf(!hasTerminal)('defect: a wrong password, and the key was said to be stored', async () => {
  const question = `Password of the private key in ${ca.at('a.locked')}`;
  const again = (times: number) => new RegExp(`(?:does not open with that password.*){${times}}in /`, 's');
  const { status, text } = await ktadminOnTerminal(server, rotate('a.pem', 'a.locked'), {
    typing: [
      [question, 'wrong\r'],
      [again(1), 'wrong\r'],
      [again(2), 'wrong\r'],
    ],
  });
  expect(status).toBe(8);
  expect(text).toContain('a.locked does not open with the password that was given');
  expect(text).not.toContain('stored without');
});

test.skipIf(!hasTerminal)('defect: a pair that is refused, and its key was said to be stored', async () => {
  const { status, text } = await ktadminOnTerminal(server, rotate('b.pem', 'a.locked'), {
    typing: [['Password of the private key in', 'right\r']],
  });
  expect(status).toBe(8);
  expect(text).not.toContain('stored without');
});

test.skipIf(!hasTerminal)('a password that is typed wrong once is asked for again', async () => {
  const { status, text } = await ktadminOnTerminal(server, [...rotate('a.pem', 'a.locked'), '--dry-run'], {
    typing: [
      ['Password of the private key in', 'wrong\r'],
      [/does not open with that password.*in \//s, 'right\r'],
    ],
  });
  expect(status).toBe(0);
  expect(text).toContain(`the key would be ${STORED}`);
});

test('defect: nobody said that backups do not hold the file of the password', async () => {
  const path = ca.at('password');
  const inside = join(server.confdir, 'tls-password');
  const warning = `ktadmin: warning: backups do not hold ${path}, and a restored server cannot start without it: keep a copy of it elsewhere, or put it below ${server.confdir}, where backups hold it\n`;
  const said = async (...words: string[]) =>
    withoutDrop((await server.ktadmin([...rotate('a.pem', 'a.locked'), ...words])).stderr);
  expect(await said('--password-file', path, '--dry-run')).toBe(warning);
  expect(await said('--password-script', `/bin/cat ${path}`)).toBe(warning);
  expect(await said('--password-file', inside)).toBe('');
  expect(await configurationOf(server)).toMatchObject({ SSL_PRIVATE_KEY_PASSWORD_SCRIPT: `cat ${inside}` });
});

test('defect: cert self-sign --help told the default twice', async () => {
  const { stdout } = await server.ktadmin(['cert', 'self-sign', '--help']);
  expect(stdout.match(/default: 365/g)).toHaveLength(1);
});
