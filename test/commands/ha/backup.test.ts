/** Backups on a passive server, and a host that was lost and comes back into its pair. */
import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { ownedDirectory, temporaryDirectory, until, withoutDrop } from '../../support/sandbox.ts';

const pair = sharedPair();

const names = (server: { query(sql: string): Promise<string> }) =>
  server.query("select string_agg(name, ' ' order by name) from organization");

test('a backup set of the passive server is whole, and holds what the active one acknowledged', async () => {
  const { active, passive } = pair;
  await must(active.orgtool(['add', '-n', 'kept', '-c', 'root@localhost']));
  const output = await ownedDirectory(await temporaryDirectory(), 'sets');
  const words = ['--cleartext', '--quiet', '--output', output];
  const made = await passive.ktbackup(words);
  expect(withoutDrop(made.stderr)).toBe('');
  expect(made.status).toBe(0);
  const set = made.stdout.trim();
  const verified = await must(passive.ktadmin(['backup', 'verify', set, '--json']));
  const checks = JSON.parse(verified.stdout) as { check: string; outcome: string; detail: string }[];
  expect(checks.filter(({ outcome }) => outcome !== 'ok').map(({ check }) => check)).toEqual([
    'container',
    'decryption',
  ]);
  expect(checks.find(({ check }) => check === 'dump')?.detail).toContain(' 1 organization,');
  await must(passive.ktadmin(['backup', 'drill', set]));
  await must(passive.ktbackup([...words, '--roll', '1']));
});

test('defect: a backup of a passive server to which nothing comes did not say what it lacks', async () => {
  const { active, passive } = pair;
  const output = await ownedDirectory(await temporaryDirectory(), 'sets');
  await must(active.ktadmin(['db', 'stop']));
  const receiver = "select count(*) from pg_stat_wal_receiver where status = 'streaming'";
  await until(async () => (await passive.query(receiver)) === '0', 'nothing comes');
  const last = (await passive.query("select date_trunc('second', pg_last_xact_replay_timestamp())")).trim();
  const made = await must(passive.ktbackup(['--cleartext', '--quiet', '--output', output]));
  await must(active.ktadmin(['db', 'start']));
  await untilInStep(pair);
  const of = `${new Date(last).toISOString().slice(0, 19)}Z`;
  expect(withoutDrop(made.stderr).replace(/^[-0-9]+ [:,0-9]+/, 'TIME')).toBe(
    'TIME - keytrustee.server.backup - WARNING - Nothing comes from the active server, and this set lacks what that ' +
      `acknowledged without this one: the last change here is of ${of}; ktadmin ha status tells what to do\n`,
  );
});

test('a lost active host comes back from a backup, and its pair goes on', async () => {
  const { active, passive } = pair;
  const output = await ownedDirectory(await temporaryDirectory(), 'sets');
  const made = await must(active.ktbackup(['--cleartext', '--quiet', '--output', output]));
  await must(active.ktadmin(['db', 'stop']));
  await rm(active.confdir, { recursive: true });
  await rm(active.pgRootdir, { recursive: true });
  const restored = await active.ktadmin(['restore', made.stdout.trim(), '--yes']);
  expect(withoutDrop(restored.stderr)).not.toContain('error');
  expect(restored.status).toBe(0);
  await must(active.ktadmin(['init']));
  await must(active.ktadmin(['db', 'restart']));
  const words = ['ha', 'join', '--active', `localhost:${active.port}`, '--replace-data'];
  await must(passive.ktadmin(words));
  await must(active.ktadmin(['ha', 'sync', 'on']));
  await untilInStep(pair);
  await must(active.orgtool(['add', '-n', 'after', '-c', 'root@localhost']));
  expect(await names(passive)).toBe('after kept');
  expect(await names(active)).toBe('after kept');
});
