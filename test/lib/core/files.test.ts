import { chmod, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createExclusively,
  makePrivateDirectory,
  openUnnamed,
  sweep,
  withStagingDirectory,
  writeAll,
  writeAtomically,
} from '../../../src/lib/core/files.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

const modeOf = async (path: string) => (await stat(path)).mode & 0o7777;

test('a file is written whole and closed to others, also over one that was open', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'file');
  await writeFile(path, 'old');
  await chmod(path, 0o666);
  await writeAtomically(path, 'new');
  expect(await readFile(path, 'utf8')).toBe('new');
  expect(await modeOf(path)).toBe(0o600);
  expect(await readdir(directory)).toEqual(['file']);
});

test('a file that cannot take its place leaves nothing behind', async () => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'file'));
  await expect(writeAtomically(join(directory, 'file'), 'new')).rejects.toThrow('EISDIR');
  expect(await readdir(directory)).toEqual(['file']);
});

test('a new file is never one that exists, nor what a link points to', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'file');
  const mask = process.umask(0);
  await (await createExclusively(path)).close();
  process.umask(mask);
  expect(await modeOf(path)).toBe(0o600);
  await expect(createExclusively(path)).rejects.toThrow('EEXIST');
  await symlink(join(directory, 'elsewhere'), join(directory, 'link'));
  await expect(createExclusively(join(directory, 'link'))).rejects.toThrow('EEXIST');
  expect((await readdir(directory)).toSorted()).toEqual(['file', 'link']);
});

test('directories are made as far as they are missing, each closed to others', async () => {
  const directory = await temporaryDirectory();
  await chmod(directory, 0o755);
  const path = join(directory, 'a', 'b');
  const mask = process.umask(0);
  expect(await makePrivateDirectory(path)).toEqual([join(directory, 'a'), path]);
  process.umask(mask);
  expect(await modeOf(join(directory, 'a'))).toBe(0o700);
  expect(await modeOf(path)).toBe(0o700);
  expect(await modeOf(directory)).toBe(0o755);
  expect(await makePrivateDirectory(path)).toEqual([]);
});

test('a staging directory is gone however the work ended', async () => {
  const directory = await temporaryDirectory();
  const seen = await withStagingDirectory(directory, '.work-', async (staging) => {
    await writeFile(join(staging, 'file'), 'x');
    expect(await modeOf(staging)).toBe(0o700);
    return staging;
  });
  expect(seen).toMatch(/\/\.work-[0-9a-f]{12}$/);
  const failing = withStagingDirectory(directory, '.work-', async (staging) => {
    await writeFile(join(staging, 'file'), 'x');
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await readdir(directory)).toEqual([]);
});

test('sweeping takes what a killed run left, and spares what is younger than asked for', async () => {
  const directory = await temporaryDirectory();
  for (const name of ['.work-old', '.work-new', 'kept']) {
    await mkdir(join(directory, name));
    await writeFile(join(directory, name, 'file'), 'x');
  }
  const longAgo = new Date(Date.now() - 7_200_000);
  await utimes(join(directory, '.work-old'), longAgo, longAgo);
  await sweep(directory, '.work-', 3_600_000);
  expect((await readdir(directory)).toSorted()).toEqual(['.work-new', 'kept']);
  await sweep(directory, '.work-');
  expect(await readdir(directory)).toEqual(['kept']);
});

test('an unnamed file can be written and read, and is in no directory', async () => {
  const directory = await temporaryDirectory();
  const file = await openUnnamed(directory);
  expect(await readdir(directory)).toEqual([]);
  const end = await writeAll(file, Buffer.from('a text'), 4);
  expect(end).toBe(10);
  const back = Buffer.alloc(6);
  await file.read(back, 0, 6, 4);
  expect(back.toString()).toBe('a text');
  await file.close();
});
