/** `cert rotate --in-place` of files that a server must not, or could not, read where they lie. */
import { chmod, chown, copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Authority, authority } from '../../support/authority.ts';
import { give, tree } from '../../support/faults.ts';
import { refusal, said } from '../../support/refusal.ts';
import {
  checksums,
  isRoot,
  type TestServer,
  temporaryDirectory,
  testServer,
  world,
} from '../../support/sandbox.ts';

const me = world.account.name;
let server: TestServer;
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.unshift(cleanUp);
  server = await testServer({ start: false, atEnd });
  ca = await authority(await temporaryDirectory(atEnd), 'kts01.example.com');
  await ca.issue('own');
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

/** Copies of the files in a directory of their own that belongs to the service account. */
async function placed(name: string): Promise<{ directory: string; at(file: string): string }> {
  const directory = ca.at(name);
  await mkdir(directory, { mode: 0o700 });
  for (const file of ['own.pem', 'own.key', 'ca.pem']) {
    await copyFile(ca.at(file), join(directory, file));
    await give(join(directory, file));
  }
  await give(directory);
  return { directory, at: (file) => join(directory, file) };
}

/** Rotates to them; whatever is said, nothing may be changed. */
async function rotate(at: (file: string) => string) {
  const state = async () => [
    ...[await tree(server.confdir), await checksums(server.confdir)],
    ...[await tree(dirname(at('.'))), await tree(at('.'))],
  ];
  const before = await state();
  const files = ['--cert', at('own.pem'), '--key', at('own.key'), '--ca', at('ca.pem')];
  const told = said(await server.ktadmin(['cert', 'rotate', '--in-place', ...files]));
  expect(await state()).toEqual(before);
  return told;
}

const refused = (...faults: [message: string, hint: string][]) => {
  const list = faults.map(([message, hint]) => `\n  ${message}\n    ${hint}`).join('');
  return refusal(8, `the certificate cannot be used:${list}`);
};

const copied = 'or let ktadmin cert rotate copy it (without --in-place)';

test('a key that everybody can read', async () => {
  const { at } = await placed('open');
  await chmod(at('own.key'), 0o644);
  const [key] = [at('own.key')];
  expect(await rotate(at)).toEqual(refused([`${key} is open to other accounts`, `chmod 600 ${key}`]));
});

test.runIf(isRoot)("(as root) a key of another account's", async () => {
  const { at } = await placed('theirs');
  const key = at('own.key');
  await chmod(key, 0o600);
  await chown(key, 4711, 4711);
  expect(await rotate(at)).toEqual(
    refused(
      [`${key} belongs to user id 4711, not to ${me}`, `chown ${me}: ${key}`],
      [`${key} cannot be read by ${me}`, `chown ${me}: ${key}, ${copied}`],
    ),
  );
});

test.runIf(isRoot)('(as root) a directory that the service account cannot enter', async () => {
  const { at, directory } = await placed('closed');
  await chown(directory, 0, 0);
  expect(await rotate(at)).toEqual(
    refused([
      `${directory} cannot be entered by ${me}`,
      `setfacl -m u:${me}:x ${directory}, or let ktadmin cert rotate copy the files (without --in-place)`,
    ]),
  );
});

test.runIf(isRoot)('(as root) files that root alone can read', async () => {
  const { at } = await placed('roots');
  const paths = ['own.key', 'own.pem', 'ca.pem'].map(at);
  for (const path of paths) {
    await chown(path, 0, 0);
    await chmod(path, 0o600);
  }
  const faults = paths.map((path): [string, string] => [
    `${path} cannot be read by ${me}`,
    `chown ${me}: ${path}, ${copied}`,
  ]);
  expect(await rotate(at)).toEqual(refused(...faults));
});
