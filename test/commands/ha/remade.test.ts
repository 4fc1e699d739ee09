/** A passive server that comes back by `ktadmin ha` while the active one waits for it: sync is on, and stays on. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { refusal, said } from '../../support/refusal.ts';

const pair = sharedPair();

const follows = {
  status: 0,
  stdout: expect.stringMatching(/^passive: follows localhost/),
};
const slots = () => pair.active.query("select string_agg(slot_name, ' ') from pg_replication_slots");

test('defect: ha rejoin on a passive that was stopped waited for itself', async () => {
  await must(pair.passive.ktadmin(['db', 'stop']));
  expect(said(await pair.passive.ktadmin(['ha', 'rejoin']))).toMatchObject(follows);
  await untilInStep(pair);
});

test('defect: nobody said what to do about a damaged data directory', async () => {
  const { passive } = pair;
  const data = join(passive.pgRootdir, 'data');
  await must(passive.ktadmin(['db', 'stop']));
  await rm(join(data, 'global/pg_control'));
  const message = `${data} is damaged: its control file cannot be read`;
  const hint = `where the other server of a pair has all, or a backup: mv ${data} ${data}.damaged; then run it again`;
  expect(said(await passive.ktadmin(['ha', 'rejoin', '--accept-data-loss']))).toEqual(
    refusal(1, message, hint),
  );
  await rename(data, `${data}.damaged`);
  expect(said(await passive.ktadmin(['ha', 'rejoin', '--accept-data-loss']))).toMatchObject(follows);
  await untilInStep(pair);
});

test('defect: a passive host that was lost could not be made anew while sync was on', async () => {
  const { active, passive } = pair;
  const before = (await pair.node(passive)).id;
  await must(passive.ktadmin(['db', 'stop']));
  await rm(passive.pgRootdir, { recursive: true });
  await must(passive.ktadmin(['init']));
  const joined = said(await passive.ktadmin(['ha', 'join', '--active', `localhost:${active.port}`]));
  expect(joined).toEqual({ ...follows, stderr: 'next, on localhost: ktadmin ha sync on\n' });
  const after = (await pair.node(passive)).id;
  expect(after).not.toBe(before);
  await must(active.ktadmin(['ha', 'sync', 'on']));
  await untilInStep(pair);
  // What the lost one would still need fills no disk.
  expect(await slots()).toBe(after);
  await must(active.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']));
  expect(await passive.query('select name from organization')).toBe('prod');
  const status = JSON.parse((await active.ktadmin(['ha', 'status', '--json'])).stdout);
  expect(status.remarks).toMatchObject([{ severity: 'fine', code: 'in-step' }]);
});

test('defect: a host that was made anew and started as a server of its own had no way back by the hints', async () => {
  const { active, passive } = pair;
  await must(passive.ktadmin(['db', 'stop']));
  await rm(passive.pgRootdir, { recursive: true });
  await must(passive.ktadmin(['init']));
  await must(passive.ktadmin(['db', 'start']));
  const join = `on localhost: ktadmin ha join --active localhost:${active.port}`;
  const status = JSON.parse((await active.ktadmin(['ha', 'status', '--json'])).stdout);
  expect(status.remarks[0]).toMatchObject({ code: 'databases-differ', next: join });
  expect(said(await active.ktadmin(['ha', 'sync', 'on']))).toEqual(
    refusal(3, 'localhost takes writes itself', join),
  );
  const without = '--not-promoted goes on without it, where it was made anew';
  expect(said(await active.ktadmin(['ha', 'sync', 'off']))).toEqual(
    refusal(3, "localhost takes writes itself, in a database that is not this pair's", `${join}; ${without}`),
  );
  expect(await active.query("select current_setting('synchronous_standby_names')")).not.toBe('');
  await must(active.ktadmin(['ha', 'sync', 'off', '--not-promoted']));
  await must(passive.ktadmin(['ha', 'join', '--active', `localhost:${active.port}`]));
  await must(active.ktadmin(['ha', 'sync', 'on']));
  await untilInStep(pair);
});
