/** Included directories as they are read: what changes between the reading and the writing is noticed. */
import { appendFile, mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentOf, readTree } from '../../../../src/lib/backups/include/tree.ts';
import { run, temporaryDirectory } from '../../../support/sandbox.ts';

async function bytes(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** A directory with one file, as it was read. */
async function oneFile(data: string) {
  const directory = join(await temporaryDirectory(), 'included');
  await mkdir(directory);
  const path = join(directory, 'file');
  await writeFile(path, data);
  const tree = await readTree([directory]);
  return { path, file: tree.members[1] ?? expect.fail('the file is missing') };
}

test('gives out the bytes that were read', async () => {
  const data = 'x'.repeat(200_000);
  const { file } = await oneFile(data);
  expect((await bytes(contentOf(file))).toString()).toBe(data);
});

test.each<[string, (path: string) => Promise<unknown>]>([
  ['grew', (path) => appendFile(path, 'y')],
  ['shrank', (path) => truncate(path, 10)],
  ['changed one byte', (path) => writeFile(path, `${'x'.repeat(99_999)}y`)],
  ['became a directory', (path) => rm(path).then(() => mkdir(path))],
  ['became a FIFO', (path) => rm(path).then(() => run('mkfifo', [path]))],
])('a file that %s since is noticed', async (_what, change) => {
  const { path, file } = await oneFile('x'.repeat(100_000));
  await change(path);
  await expect(bytes(contentOf(file))).rejects.toThrow(`${path} keeps changing while it is read`);
});

test('a link that leads back above itself is refused, and so is more than anybody means', async () => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'a'));
  await run('ln', ['-s', '..', join(directory, 'a', 'up')]);
  await expect(readTree([directory])).rejects.toThrow('is a link to a directory above it');
  const large = join(directory, 'large');
  await mkdir(large);
  await run('truncate', ['-s', '1025M', join(large, 'file')]);
  await expect(readTree([large])).rejects.toThrow('more than 1 GiB');
});
