/** A key's password by `--password-script` and `--password-file`: what is wrong with them is told by what was typed. */
import { chmod, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { type Authority, authority } from '../../support/authority.ts';
import { give, tree } from '../../support/faults.ts';
import { refusal, said } from '../../support/refusal.ts';
import { checksums, type TestServer, temporaryDirectory, testServer } from '../../support/sandbox.ts';

const SECRET = 's3cr3t';
const HINT = 'it must print the password of the key, and end with status 0 within 10 seconds';
let server: TestServer;
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.unshift(cleanUp);
  server = await testServer({ start: false, atEnd });
  ca = await authority(await temporaryDirectory(atEnd), 'kts01.example.com');
  await ca.issue('own');
  await ca.openssl(
    ...['pkcs8', '-topk8', '-in', ca.at('own.key'), '-out', ca.at('locked.key')],
    ...['-passout', `pass:${SECRET}`],
  );
  await give(ca.at('locked.key'));
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const state = async () => [await tree(server.confdir), await checksums(server.confdir)];
const files = (key: string) => ['--cert', ca.at('own.pem'), '--key', ca.at(key), '--ca', ca.at('ca.pem')];

async function written(name: string, text: string, mode = 0o755): Promise<string> {
  await writeFile(ca.at(name), text);
  await chmod(ca.at(name), mode);
  return give(ca.at(name));
}

const cert = async (...words: string[]) => said(await server.ktadmin(['cert', ...words]));

/** How a command refuses for one fault; `cert check` counts. */
const refused = (command: string, fault: string) =>
  refusal(8, `the certificate cannot be used:\n  ${fault}${command === 'check' ? '\n1 fault' : ''}`);

test.each([
  ['fails', `echo ${SECRET}; echo ${SECRET} >&2; exit 3`, 'failed (exit status 3)'],
  ['hangs', `echo ${SECRET}; sleep 60`, 'did not end in time'],
  ['prints nothing', `echo ${SECRET} >&2; exit 0`, 'printed nothing'],
])('a script that %s is called as it was typed, and nothing of it is shown', async (how, text, what) => {
  const script = await written(`${how.split(' ').at(-1)}.sh`, `#!/bin/sh\n${text}\n`);
  const before = await state();
  const both = ['check', 'rotate'].map(async (command) => {
    const told = await cert(command, ...files('locked.key'), '--password-script', script);
    expect(told).toEqual(refused(command, `--password-script ${what}\n    ${HINT}`));
    expect(JSON.stringify(told)).not.toContain(SECRET);
  });
  await Promise.all(both);
  expect(await state()).toEqual(before);
});

test('the same for a key without a password, which is to get one', async () => {
  const before = await state();
  const told = await cert('rotate', ...files('own.key'), '--password-script', '/bin/false');
  expect(told).toEqual(refusal(1, '--password-script failed (exit status 1)', HINT));
  expect(await state()).toEqual(before);
});

test('a file with two lines, and one that is missing, are called by their paths', async () => {
  const before = await state();
  const lines = await written('lines', `${SECRET}\n${SECRET}\n`, 0o600);
  for (const [path, what] of [
    [lines, 'must hold the password alone, on one line\n    write it there again'],
    [ca.at('nowhere'), 'is missing\n    correct the path, or put the file there'],
  ] as const)
    for (const command of ['check', 'rotate']) {
      const told = await cert(command, ...files('locked.key'), '--password-file', path);
      expect(told).toEqual(refused(command, `${path} ${what}`));
    }
  expect(await state()).toEqual(before);
});
