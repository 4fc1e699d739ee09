/** `ktadmin ha join` cut off at each of its steps: the same command again finishes, and nothing is lost. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { someOf } from '../../support/long.ts';
import { copyOf, must } from '../../support/pair.ts';
import { sharedServer } from '../../support/sandbox.ts';

const active = sharedServer();

test.each(someOf(['copied', 'stopped', 'moved', 'placed', 'tidied']))(
  'kill -9 when the copy is %s: the same command again makes the pair',
  async (step) => {
    await must(active.orgtool(['add', '-n', `at-${step}`, '-c', 'root@localhost']));
    const passive = await copyOf(active);
    const words = ['ha', 'join', '--active', `localhost:${active.port}`];
    const killed = await passive.ktadmin(words, { env: { KTADMIN_KILL_AT: step } });
    expect(killed.signal).toBe('SIGKILL');
    await must(passive.ktadmin(words));
    const names = await passive.query('select name from organization');
    expect(names).toContain(`at-${step}`);
    const left = (await readdir(passive.pgRootdir)).filter((name) => /^data|^\.join-/.test(name));
    expect(left.filter((name) => !name.startsWith('data.before-'))).toEqual(['data']);
  },
);
