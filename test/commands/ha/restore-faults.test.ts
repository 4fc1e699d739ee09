/** `ktadmin restore` on the active server of a pair whose passive one goes away: it ends, and leaves nothing half done. */
import { beforeAll, expect, test } from 'vitest';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { postmaster } from '../../support/postgres.ts';
import { allEnded, untilStopped } from '../../support/processes.ts';
import { refusal, said } from '../../support/refusal.ts';
import { expectNothingLeft, restore } from '../../support/restored.ts';
import { until } from '../../support/sandbox.ts';
import { backup } from '../../support/sets.ts';

const pair = sharedPair();
let set = '';

beforeAll(async () => {
  await must(pair.active.orgtool(['add', '-n', 'kept', '-c', 'root@localhost']));
  await must(pair.active.orgtool(['add', '-n', 'gone', '-c', 'root@localhost']));
  set = await backup(pair.active);
  await must(pair.active.ktadmin(['orgtool', 'remove', '-n', 'gone', '--yes']));
  await must(pair.active.orgtool(['add', '-n', 'later', '-c', 'root@localhost']));
});

const AWAY = refusal(
  3,
  'nothing was written: the passive server is away, and writes need both',
  'ktadmin ha status shows why',
);
const UNCONFIRMED = `ktadmin: error: it is in place on this server, but the passive server has not confirmed that it has it, too
ktadmin: hint: it takes it over when it follows again: ktadmin ha status
`;

async function killThePassive(): Promise<void> {
  process.kill(await postmaster(pair.passive), 'SIGKILL');
  await allEnded(pair.passive.pgRootdir);
}

async function loseThePassive(): Promise<void> {
  await killThePassive();
  const gone = async () => (await pair.active.query('select count(*) from pg_stat_replication')) === '0';
  await until(gone, 'the active server sees it');
}

async function bringItBack(): Promise<void> {
  await must(pair.passive.ktadmin(['db', 'start']));
  await untilInStep(pair);
}

const organizations = (server = pair.active) => server.query('select name from organization order by name');

/** A restore during which the passive server is lost at a step, and more befalls it. */
async function losing(step: string, words: string[], more: NodeJS.Signals[] = []) {
  let pid = 0;
  const env = { KTADMIN_STOP_AT: step };
  const ended = pair.active.ktadmin(['restore', ...words, '--yes'], {
    env,
    started: (child) => (pid = child.pid),
  });
  const stopped = await untilStopped(() => pid);
  try {
    await loseThePassive();
    for (const signal of more) process.kill(stopped, signal);
  } finally {
    process.kill(stopped, 'SIGCONT');
  }
  return said(await ended);
}

test('defect: on the passive server a trial showed its plan, and the restore asked first', async () => {
  const refused = refusal(
    3,
    'nothing was written: this is the passive server',
    'run the command on the active one',
  );
  for (const words of [[], ['--dry-run'], ['--only', 'organization=kept']])
    expect(said(await pair.passive.ktadmin(['restore', '/nowhere.tar', ...words]))).toEqual(refused);
});

test.each([
  ['restore-created', []],
  ['restore-loaded', []],
  ['only-loaded', ['--only', 'organization=gone']],
])('defect: a restore waited for ever for a passive server that was lost at %s', async (step, words) => {
  const ended = await losing(step, [set, ...words]);
  expect(ended).toMatchObject({ status: 3, stdout: '', stderr: expect.stringMatching(`${AWAY.stderr}$`) });
  expect(await organizations()).toBe('kept\nlater');
  await expectNothingLeft(pair.active);
  for (const more of [[], ['--dry-run']]) {
    const refused = said(await pair.active.ktadmin(['restore', set, ...more]));
    expect(refused).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringMatching(`${AWAY.stderr}$`),
    });
    expect(refused.stderr).not.toContain('set of');
  }
  await bringItBack();
});

test('defect: interrupted, it went on waiting in its clean-up', async () => {
  expect(await losing('restore-created', [set], ['SIGTERM'])).toMatchObject({ status: 143, stdout: '' });
  expect(await organizations()).toBe('kept\nlater');
  await expectNothingLeft(pair.active);
  await bringItBack();
});

test('lost while old and new are exchanged: the restore is in place, and says who has not confirmed it', async () => {
  const ended = await losing('restore-database-exchanged', [set]);
  expect(ended).toMatchObject({
    ...{ status: 7, stdout: expect.stringMatching(/^Restored .*: 2 organizations/) },
    stderr: expect.stringMatching(`${UNCONFIRMED}$`),
  });
  expect(await organizations()).toBe('gone\nkept');
  await expectNothingLeft(pair.active);
  await bringItBack();
  await until(async () => (await organizations(pair.passive)) === 'gone\nkept', 'the passive server has it');
  expect(await restore(pair.active, ['--undo', '--yes', '--quiet'])).toMatchObject({ status: 0, stderr: '' });
  expect(await organizations(pair.passive)).toBe('kept\nlater');
});

test('what was cut off is taken back also while the passive server is away', async () => {
  expect((await restore(pair.active, [set, '--yes'], 'restore-former-moved')).signal).toBe('SIGKILL');
  await killThePassive();
  const undone = await restore(pair.active, ['--undo', '--yes', '--json']);
  expect(undone).toMatchObject({ status: 7, stderr: expect.stringMatching(/^ktadmin: warning: took back/) });
  expect(JSON.parse(undone.stdout)).toMatchObject({ undone: 'unfinished restore', confirmed: false });
  expect(await organizations()).toBe('kept\nlater');
  await expectNothingLeft(pair.active);
  await bringItBack();
});
