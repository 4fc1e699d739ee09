/** `ktadmin ha join` cut off at each of its steps: the same command again finishes, and nothing is lost. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { someOf } from '../../support/long.ts';
import { copyOf, must } from '../../support/pair.ts';
import { refusal, said } from '../../support/refusal.ts';
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

test('defect: a host that had not joined, or not wholly, became a new server, or passed for one', async () => {
  const passive = await copyOf(active);
  const words = ['ha', 'join', '--active', `localhost:${active.port}`];
  const start = async () => said(await passive.ktadmin(['db', 'start']));
  const remarks = async () => JSON.parse((await passive.ktadmin(['ha', 'status', '--json'])).stdout).remarks;
  const own = '; where it is to be a server of its own: ktadmin db start --alone';
  expect(await start()).toEqual(
    refusal(
      3,
      'this server is a copy of kts01.example.com, and has no database yet',
      `ktadmin ha join --active kts01.example.com${own}`,
    ),
  );
  await passive.ktadmin(words, { env: { KTADMIN_KILL_AT: 'begun' } });
  const cutOff = 'this server was to become the passive one of localhost, and that was cut off';
  const again = `ktadmin ${words.join(' ')}`;
  const unfinished = { severity: 'critical', code: 'join-unfinished', message: cutOff, next: again };
  expect(await remarks()).toEqual([unfinished]);
  expect(await start()).toEqual(refusal(3, `${cutOff}; it has no database yet`, `${again}${own}`));
  await passive.ktadmin(words, { env: { KTADMIN_KILL_AT: 'stopped' } });
  expect(await start()).toEqual(refusal(3, cutOff, again));
  await must(passive.ktadmin(words));
  expect((await remarks()).map(({ code }: { code: string }) => code)).toEqual(['sync-off']);
  await must(passive.ktadmin(['db', 'restart']));
});
