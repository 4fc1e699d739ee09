import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { withLock } from '../../../src/lib/core/lock.ts';
import { ownedDirectory, temporaryDirectory } from '../../support/sandbox.ts';

test('one run at a time: the second is told, and the lock is free again however the first ended', async () => {
  const directory = await temporaryDirectory();
  const other = await ownedDirectory(directory, 'other');
  const held = withLock(directory, 'test', async () => {
    await expect(withLock(directory, 'test', async () => 'never')).rejects.toMatchObject({
      code: 'locked',
      message: `another test is at work in ${directory}`,
    });
    expect(await withLock(other, 'test', async () => 'elsewhere')).toBe('elsewhere');
    expect(await withLock(directory, 'other', async () => 'otherwise')).toBe('otherwise');
    throw new Error('no');
  });
  await expect(held).rejects.toThrow('no');
  expect(await withLock(directory, 'test', async () => 'free')).toBe('free');
});

test('a lock is gone with a process that was killed', async () => {
  const directory = await temporaryDirectory();
  const { dev, ino } = await stat(directory);
  const name = `\\0ktadmin-test-${dev}-${ino}`;
  const script = `require('node:net').createServer().listen('${name}', () => console.log('held'))`;
  const holder = spawn(process.execPath, ['-e', script]);
  await once(holder.stdout, 'data');
  await expect(withLock(directory, 'test', async () => 'never')).rejects.toMatchObject({ code: 'locked' });
  holder.kill('SIGKILL');
  await once(holder, 'close');
  expect(await withLock(directory, 'test', async () => 'free')).toBe('free');
});
