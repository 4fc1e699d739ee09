import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { withLock } from '../../../src/lib/core/lock.ts';
import { ownedDirectory, run, temporaryDirectory } from '../../support/sandbox.ts';

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

/** A server of two processes, which both take a lock and keep it until both have tried. */
const CLUSTER = `
import cluster from 'node:cluster';
import { takeLock } from './lock.mjs';
if (cluster.isPrimary) {
  const told = [];
  const workers = [cluster.fork(), cluster.fork()];
  for (const worker of workers)
    worker.on('message', (word) => {
      told.push(word);
      if (told.length === 2) {
        console.log(told.toSorted().join());
        for (const each of workers) each.process.kill();
      }
    });
} else {
  await takeLock(process.argv[2], 'test').then(
    () => process.send('held'),
    ({ code }) => process.send(code),
  );
  setInterval(() => undefined, 1000);
}
`;

test('defect: the processes of one server shared every lock, and wrote one line of the audit trail twice', async () => {
  const directory = await temporaryDirectory();
  const lock = join(import.meta.dirname, '../../../src/lib/core/lock.ts');
  const outfile = join(directory, 'lock.mjs');
  await build({ entryPoints: [lock], bundle: true, platform: 'node', format: 'esm', outfile });
  const script = join(directory, 'cluster.mjs');
  await writeFile(script, CLUSTER);
  const done = await run(process.execPath, [script, directory]);
  expect(done).toMatchObject({ stdout: 'held,locked\n', stderr: '' });
});
