import { chmod, mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { readGiven } from '../../../src/lib/certificates/given.ts';
import { isRoot, run, temporaryDirectory, world } from '../../support/sandbox.ts';

let directory = '';
const at = (name: string) => join(directory, name);

beforeEach(async () => {
  directory = await temporaryDirectory();
});

test('a file is read, with its owner and its mode', async () => {
  await writeFile(at('a.pem'), 'text\n', { mode: 0o640 });
  expect(await readGiven(at('a.pem'))).toEqual({
    ...{ path: at('a.pem'), data: Buffer.from('text\n').toString('base64'), fault: undefined },
    ...{ uid: process.getuid?.(), mode: 0o100640 },
  });
});

test('links are followed, as those of certbot are', async () => {
  await mkdir(at('archive'));
  await writeFile(at('archive/cert1.pem'), 'text');
  await symlink('archive/cert1.pem', at('cert.pem'));
  expect((await readGiven(at('cert.pem'))).data).toBe(Buffer.from('text').toString('base64'));
});

test.each<[what: string, make: () => Promise<unknown>, code: string, message: string, hint: string]>([
  [
    'what is missing',
    async () => undefined,
    'missing',
    'is missing',
    'correct the path, or put the file there',
  ],
  [
    'what has vanished behind its link',
    async () => symlink('gone', at('it')),
    ...(['missing', 'is missing', 'correct the path, or put the file there'] as const),
  ],
  [
    'a link that leads to itself',
    async () => symlink('it', at('it')),
    ...([
      'missing',
      'is a symbolic link that leads to itself',
      'correct the path, or put the file there',
    ] as const),
  ],
  ['a directory', () => mkdir(at('it')), 'directory', 'is a directory', 'name the file in it'],
  ['an empty file', () => writeFile(at('it'), ''), 'empty', 'is empty', 'copy the file there again'],
  [
    'a pipe that nobody writes to',
    () => run('mkfifo', [at('it')]),
    ...(['not-recognized', 'is no regular file', 'name the file that holds it'] as const),
  ],
  [
    'a file that is too large',
    () => writeFile(at('it'), '').then(() => truncate(at('it'), 1024 * 1024 + 1)),
    ...(['too-large', 'is longer than 1 MiB', 'name the file that holds it'] as const),
  ],
])('%s is a fault', async (_what, make, code, message, hint) => {
  await make();
  const { data, fault } = await readGiven(at('it'));
  expect(data).toBe(undefined);
  expect(fault).toEqual({ code, message: `${at('it')} ${message}`, hint });
});

test('defect: a file that the system cannot read is named', async () => {
  const { fault } = await readGiven('/proc/self/mem');
  expect(fault?.message).toBe('/proc/self/mem: input/output error: the disk fails');
});

test('1 MiB is not too large', async () => {
  await writeFile(at('it'), '');
  await truncate(at('it'), 1024 * 1024);
  expect((await readGiven(at('it'))).fault).toBe(undefined);
});

test('a socket is no regular file', async () => {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(at('it'), resolve));
  try {
    const { fault } = await readGiven(at('it'));
    expect(fault?.message).toBe(`${at('it')} is no regular file`);
  } finally {
    server.close();
    await rm(at('it'), { force: true });
  }
});

test('a path through a file is missing', async () => {
  await writeFile(at('file'), 'x');
  const { fault } = await readGiven(at('file/it'));
  expect(fault?.message).toBe(`${at('file/it')} is missing: what should be a directory is none`);
});

test('a file of another account that only its owner may read', async () => {
  await writeFile(at('it'), 'secret');
  await chmod(at('it'), isRoot ? 0o600 : 0o000);
  if (isRoot) process.seteuid?.(world.account.uid);
  try {
    const { data, fault } = await readGiven(at('it'));
    expect(data).toBe(undefined);
    expect(fault).toEqual({
      code: 'unreadable',
      message: `${at('it')} may not be read by this account`,
      hint: `namei -l ${at('it')} shows who may read it`,
    });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});
