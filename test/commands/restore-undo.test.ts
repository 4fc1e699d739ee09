import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { REVERT_STEPS, UNDO_STEPS } from '../../src/lib/backups/steps.ts';
import { addTestClient } from '../support/database.ts';
import { someOf } from '../support/long.ts';
import {
  expectNothingLeft,
  forgetFormers,
  goOn,
  isOpen,
  look,
  refusal,
  restore,
} from '../support/restored.ts';
import { sharedServer, testServer } from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';

const server = sharedServer();
const RESTORED = { files: '', dump: '' };
const FORMER = { files: '', dump: '' };
const UNDO = ['--undo', '--yes'];
let words: string[] = [];

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  words = [await backup(server), '--yes'];
  await goOn(server);
  Object.assign(FORMER, await look(server));
  expect((await restore(server, words)).status).toBe(0);
  Object.assign(RESTORED, await look(server));
});

/** Brings the server into the restored state, with the former one kept, whatever a test before left. */
async function prepare() {
  if ((await look(server)).dump === RESTORED.dump) expect((await restore(server, UNDO)).status).toBe(0);
  expect(await look(server)).toEqual(FORMER);
  await forgetFormers(server);
  expect((await restore(server, words)).status).toBe(0);
  expect(await look(server)).toEqual(RESTORED);
}

test('undo brings back what was there, says what changes, and can be undone', async () => {
  const undone = await restore(server, UNDO);
  const stamp = String.raw`\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{3}`;
  expect(undone.status, undone.stderr).toBe(0);
  expect(undone.stderr).toMatch(
    new RegExp(
      `^undo of the last restore of ${server.confdir}\n` +
        `  configuration  ${server.confdir}.before-${stamp} comes back \\(${server.fingerprint}\\)\n` +
        String.raw`  database       keytrustee_old_\d{17} \(2 organizations, 2 contacts, 0 clients, 0 deposits\) comes back${'\n'}` +
        '  what is there now is kept under other names\n' +
        'what going back loses or revives\n' +
        '  now   1 organization, 1 contact, 0 clients, 0 deposits\n' +
        '  then  2 organizations, 2 contacts, 0 clients, 0 deposits\n' +
        '  organizations that come back: later\n$',
    ),
  );
  expect(undone.stdout).toMatch(
    new RegExp(
      `^What was in place is in ${server.confdir}.before-${stamp}\n` +
        String.raw`The database that was in place is keytrustee_old_\d{17}${'\n'}` +
        `Brought back ${server.confdir} as it was before the last restore: 2 organizations, 2 contacts, 0 clients, 0 deposits\n$`,
    ),
  );
  expect(await look(server)).toEqual(FORMER);
  await expectNothingLeft(server);
  expect((await restore(server, UNDO)).status).toBe(0);
  expect(await look(server)).toEqual(RESTORED);
});

test.each(someOf(UNDO_STEPS))(
  'kill -9 at %s: old, new or refused; the same command finishes',
  async (step) => {
    await prepare();
    const killed = await restore(server, UNDO, step);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    const open = await isOpen(server);
    if (open) expect(await server.orgtool(['list'])).toMatchObject(refusal(server));
    else expect([RESTORED, FORMER]).toContainEqual(await look(server));
    // Once the journal is gone the undo is done, and a further one undoes it.
    const isDone = step === 'undo-closed';
    expect(await restore(server, UNDO)).toMatchObject({ status: 0 });
    expect(await look(server)).toEqual(isDone ? RESTORED : FORMER);
    await expectNothingLeft(server);
  },
);

test.each(someOf(REVERT_STEPS))(
  'kill -9 at %s, when a restore is taken back: a further --undo goes back',
  async (step) => {
    await prepare();
    expect((await restore(server, UNDO)).status).toBe(0);
    expect((await restore(server, words, 'restore-placed')).signal).toBe('SIGKILL');
    const killed = await restore(server, UNDO, step);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    if (step === 'revert-closed') {
      expect(await look(server)).toEqual(FORMER);
      expect((await restore(server, words)).status).toBe(0);
      expect((await restore(server, UNDO)).status).toBe(0);
    } else {
      expect(await server.orgtool(['list'])).toMatchObject(refusal(server));
      expect(await restore(server, UNDO)).toMatchObject({ status: 0 });
    }
    expect(await look(server)).toEqual(FORMER);
    await expectNothingLeft(server);
  },
);

test('with the database stopped, and with the configuration directory missing, undo works too', async () => {
  await prepare();
  await server.ktadmin(['db', 'stop']);
  expect((await restore(server, UNDO)).status).toBe(0);
  expect(await look(server)).toEqual(FORMER);
  await rm(server.confdir, { recursive: true });
  const undone = await restore(server, UNDO);
  expect(undone.status, undone.stderr).toBe(0);
  expect(undone.stdout).toMatch(/^The database that was in place is keytrustee_old_\d+\nBrought back /);
  expect(await look(server)).toEqual(RESTORED);
  // What was removed by hand cannot come back: for the tests that follow, the former state is made again.
  await goOn(server);
  Object.assign(FORMER, await look(server));
});

test('without a former state: status 5; without consent: status 2, and nothing is changed', async () => {
  await prepare();
  const before = await look(server);
  const names = await readdir(server.directory);
  const refused = await restore(server, ['--undo']);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('hint: to go on without being asked, add --yes\n');
  expect(await look(server)).toEqual(before);
  expect(await readdir(server.directory)).toEqual(names);
  await expectNothingLeft(server);

  const other = await testServer();
  expect(await restore(other, UNDO)).toMatchObject({
    status: 5,
    stdout: '',
    stderr: `ktadmin: error: no former state of ${other.confdir} is kept\nktadmin: hint: to bring back a backup: ktadmin restore FILE\n`,
  });
});

test('what a restore revives is said: clients and organizations enabled again, codes that change back', async () => {
  const one = await testServer();
  const client = 'A'.repeat(40);
  await one.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  await one.orgtool(['add', '-n', 'gone', '-c', 'root@localhost']);
  await addTestClient(one, 'prod', client, 'active');
  const set = await backup(one);
  await one.orgtool(['disable-client', '--fingerprint', client]);
  await one.orgtool(['disable', '-n', 'prod']);
  await one.orgtool(['set-auth', '-n', 'prod', '-s', 'another']);
  await one.orgtool(['remove', '-n', 'gone', '--yes']);
  await addTestClient(one, 'prod', 'B'.repeat(40));
  const restored = await restore(one, [set, '--yes']);
  expect(restored.status, restored.stderr).toBe(0);
  expect(restored.stderr).toContain(
    'what going back loses or revives\n' +
      '  now   1 organization, 1 contact, 2 clients, 0 deposits\n' +
      '  then  2 organizations, 2 contacts, 1 client, 0 deposits\n' +
      '  organizations that come back: gone\n' +
      '  organizations enabled again: prod\n' +
      '  organizations whose authorization code changes back: prod\n' +
      `  clients that vanish: ${'B'.repeat(40)}\n` +
      `  clients enabled again: ${client}\n`,
  );
});

test('a journal that is not ours, or is damaged, or whose parts somebody removed, changes nothing', async () => {
  await prepare();
  const journal = join(server.directory, '.keytrustee.exchange.json');
  expect((await restore(server, UNDO, 'undo-former-moved')).signal).toBe('SIGKILL');
  const text = await readFile(journal, 'utf8');
  for (const damaged of ['', '{}', text.replace('"format": 1', '"format": 2')]) {
    await writeFile(journal, damaged);
    const refused = await restore(server, ['--finish']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^ktadmin: error: \S+ is (?:not JSON|no journal of this version)\n/);
  }
  const lost = JSON.parse(text) as { directories: { staged: string; kept: string }[] };
  for (const part of lost.directories) Object.assign(part, { staged: '/nowhere/a', kept: '/nowhere/b' });
  await writeFile(journal, JSON.stringify(lost));
  const names = await readdir(server.directory);
  const removed = await restore(server, ['--finish']);
  expect(removed.status).toBe(1);
  expect(removed.stderr).toContain('can neither be finished nor taken back');
  expect(await readdir(server.directory)).toEqual(names);
  await writeFile(journal, text);
  expect((await restore(server, ['--finish'])).status).toBe(0);
  expect(await look(server)).toEqual(FORMER);
});
