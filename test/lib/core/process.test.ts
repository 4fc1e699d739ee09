import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { stream } from '../../../src/lib/core/process.ts';
import { until, world } from '../../support/sandbox.ts';

test('defect: the beginning of a dump was lost when it came before anybody listened', async () => {
  const directory = await mkdtemp(join(world.directory, 't'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const mark = join(directory, 'mark');
  const child = await stream('/bin/sh', ['-c', `echo first; : > ${mark}; read line; echo second`]);
  await until(() => existsSync(mark), 'the beginning has been written');
  // What would read it away does so in the next turns of the loop.
  for (let count = 0; count < 100; count += 1) await turn();
  child.stdin.end('\n');
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  expect(text).toBe('first\nsecond\n');
  expect((await child.done).status).toBe(0);
});

test('a child that is given up ends, though nobody has read what it wrote', async () => {
  const child = await stream('/bin/sh', ['-c', 'while :; do echo more; done']);
  child.kill();
  expect(await child.done).toMatchObject({ status: null, signal: 'SIGTERM' });
});
