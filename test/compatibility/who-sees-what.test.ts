/** docs/security.md: who can read what. Everything that a server leaves on its disks is looked through. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import {
  certifyLocalhost,
  type Machine,
  organizationCode,
  registeredMachine,
} from '../support/keytrustee.ts';
import { ownedDirectory, sharedServer, testServer } from '../support/sandbox.ts';
import { serving, sharedServing } from '../support/serving.ts';

const SECRET = 'the-key-that-nobody-but-its-client-reads-7Qx';

const server = sharedServer();
const running = sharedServing(server, async () => void (await certifyLocalhost(server)));
let code: string;
let machine: Machine;

beforeAll(async () => {
  code = await organizationCode(server, 'prod');
  machine = await registeredMachine(server, { port: running.port, organization: 'prod', code });
  const stored = await machine.keytrustee(['put', '--handle', 'root-disk', '-'], { input: SECRET });
  expect(stored).toMatchObject({ status: 0 });
  expect(await machine.keytrustee(['get', 'root-disk'])).toMatchObject({ status: 0, stdout: SECRET });
});

/** The files below a directory that hold a text, in any of the forms in which bytes are kept here. */
async function filesWith(directory: string, text: string): Promise<string[]> {
  const forms = [text, Buffer.from(text).toString('hex'), Buffer.from(text).toString('base64').slice(0, -4)];
  const found: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // A database that runs takes files away meanwhile.
    const content = await readFile(path).catch(() => Buffer.alloc(0));
    if (forms.some((form) => content.includes(form))) found.push(path);
  }
  return found;
}

test('what a client keeps is in clear nowhere on the server: database, log, audit trail, backup set', async () => {
  const output = await ownedDirectory(server.directory, 'sets');
  expect(await server.ktbackup(['--cleartext', '--output', output])).toMatchObject({ status: 0 });
  await server.query('checkpoint');
  expect(await filesWith(server.directory, SECRET)).toEqual([]);
  expect(running.stderr()).not.toContain(SECRET);
  // The search finds what is there: the handle is known to the server.
  const known = await filesWith(server.directory, 'root-disk');
  expect(known.some((path) => path.startsWith(join(server.pgRootdir, 'data')))).toBe(true);
  expect(known.some((path) => path.startsWith(output))).toBe(true);
});

test('an authorization code is in the database alone: not in the audit trail, a log, a client’s directory', async () => {
  const found = await filesWith(server.directory, code);
  expect(found.filter((path) => !path.startsWith(server.pgRootdir) && !path.includes('kts_bak_'))).toEqual(
    [],
  );
  expect(found.filter((path) => path.startsWith(join(server.pgRootdir, 'log')))).toEqual([]);
  expect(running.stderr()).not.toContain(code);
});

test('another client of the organization sees no deposit but its own', async () => {
  const other = await registeredMachine(server, { port: running.port, organization: 'prod', code });
  const [deposit] = await machine.json<{ id: string }[]>(['list']);
  for (const name of [deposit?.id ?? '', 'root-disk']) {
    expect(await other.keytrustee(['get', name])).toMatchObject({ status: 5, stdout: '' });
    expect(await other.keytrustee(['delete', name])).toMatchObject({ status: 5 });
  }
  expect(await other.json(['list'])).toEqual([]);
  expect(await machine.keytrustee(['get', 'root-disk'])).toMatchObject({ stdout: SECRET });
});

test('a server cannot give a client something else: another deposit under its handle, or one made for its key', async () => {
  const own = await testServer();
  await certifyLocalhost(own);
  const { port } = await serving(own);
  const secret = await organizationCode(own, 'prod');
  const client = await registeredMachine(own, { port, organization: 'prod', code: secret });
  for (const handle of ['first', 'second'])
    expect(await client.keytrustee(['put', '--handle', handle, '-'], { input: handle })).toMatchObject({
      status: 0,
    });
  await own.query(
    `update public.deposit set (content, sha256) = (select content, sha256 from public.deposit where handle = 'second')
     where handle = 'first'`,
  );
  expect(await client.keytrustee(['get', 'second'])).toMatchObject({ status: 0, stdout: 'second' });
  expect(await client.keytrustee(['get', 'first'])).toMatchObject({ status: 8, stdout: '' });
});

test('a restore below a server that runs: what was kept then is served, and what comes is kept', async () => {
  const own = await testServer();
  await certifyLocalhost(own);
  const { port } = await serving(own);
  const secret = await organizationCode(own, 'prod');
  const client = await registeredMachine(own, { port, organization: 'prod', code: secret });
  const put = (handle: string) => client.keytrustee(['put', '--handle', handle, '-'], { input: handle });
  expect(await put('before')).toMatchObject({ status: 0 });
  const output = await ownedDirectory(own.directory, 'sets');
  const made = await own.ktbackup(['--cleartext', '--quiet', '--output', output]);
  expect(await put('after')).toMatchObject({ status: 0 });
  expect(await own.ktadmin(['restore', made.stdout.trim(), '--yes'])).toMatchObject({ status: 0 });
  expect(await client.keytrustee(['get', 'before'])).toMatchObject({ status: 0, stdout: 'before' });
  expect(await client.keytrustee(['get', 'after'])).toMatchObject({ status: 5, stdout: '' });
  expect(await put('again')).toMatchObject({ status: 0 });
  expect(await own.ktadmin(['audit', 'verify'])).toMatchObject({ status: 0 });
});
