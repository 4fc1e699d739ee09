import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { RESTORE_STEPS } from '../../src/lib/backups/steps.ts';
import { give } from '../support/faults.ts';
import { checksums, type Outcome, sharedServer, until, withoutDrop } from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';
import { databasesOf, dumpOf } from '../support/state.ts';

const server = sharedServer();
let set = '';

/** What a state is known by: every file of the configuration, every row of the database. */
const look = async () => ({
  files: await checksums(server.confdir).catch(() => 'missing'),
  dump: await dumpOf(server).catch(() => 'missing'),
});

const NEW = { files: '', dump: '' };

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  set = await backup(server);
  expect((await restore()).status).toBe(0);
  Object.assign(NEW, await look());
});

async function restore(step?: string, ...args: string[]): Promise<Outcome> {
  const env: Record<string, string> = step === undefined ? {} : { KTADMIN_KILL_AT: step };
  const words = args.length > 0 ? args : [set, '--yes'];
  let outcome = await server.ktadmin(['restore', ...words], { env });
  // PostgreSQL notices a little later that the holder of its lock is dead.
  await until(async () => {
    if (outcome.status === 75) outcome = await server.ktadmin(['restore', ...words], { env });
    return outcome.status !== 75;
  }, 'the lock of the dead run is free');
  return { ...outcome, stderr: withoutDrop(outcome.stderr) };
}

/** Brings the server into a state that differs from the set's in both halves, and forgets earlier ones. */
async function goOn() {
  for (const name of await readdir(server.directory))
    if (name.includes('.before-')) await rm(join(server.directory, name), { recursive: true });
  for (const name of await databasesOf(server))
    if (name.startsWith('keytrustee_old_'))
      await server.ktadmin([
        'db',
        'psql',
        '--',
        '-Xqd',
        'postgres',
        '-c',
        `drop database ${name.split(' ')[0]}`,
      ]);
  await server.orgtool(['add', '-n', 'later', '-c', 'root@localhost']);
  await give(
    await writeFile(join(server.confdir, 'later'), 'later').then(() => join(server.confdir, 'later')),
  );
  return look();
}

/** What a run that died may leave: nothing but formers, once another run has been there. */
async function expectNothingLeft() {
  const beside = (await readdir(server.directory)).filter((name) => !name.includes('.before-'));
  expect(beside.toSorted()).toEqual(['.keytrustee', 'backups', 'db']);
  const databases = (await databasesOf(server)).filter((name) => !name.startsWith('keytrustee_old_'));
  expect(databases).toEqual(['keytrustee true', 'postgres true', 'template0 false', 'template1 true']);
}

/** Every command that would work on a mixture is refused, and names the way out. */
async function expectRefusals() {
  const refused = {
    status: 3,
    stdout: '',
    stderr:
      `ktadmin: error: a restore of ${server.confdir} was cut off while old and new were exchanged, or is at it now\n` +
      `ktadmin: hint: to finish it: ktadmin restore --finish --confdir ${server.confdir}; ` +
      `to go back: ktadmin restore --undo --confdir ${server.confdir}\n`,
  };
  expect(await server.orgtool(['list'])).toMatchObject(refused);
  expect(await server.ktbackup(['--cleartext', '--quiet'])).toMatchObject(refused);
  expect(await server.ktadmin(['init'])).toMatchObject(refused);
  expect(await server.ktadmin(['db', 'restart'])).toMatchObject(refused);
}

test.each(RESTORE_STEPS)('kill -9 at %s: old, new or refused; the same command finishes', async (step) => {
  const old = await goOn();
  const killed = await restore(step);
  expect(killed.signal, killed.stderr).toBe('SIGKILL');
  const isOpen = (await readdir(server.directory)).includes('.keytrustee.exchange.json');
  if (isOpen) await expectRefusals();
  else expect([old, NEW]).toContainEqual(await look());
  const again = await restore();
  expect(again).toMatchObject({ status: 0 });
  expect(again.stdout).toMatch(/^Restored .*: 1 organizations, 1 contacts/);
  const finished = `ktadmin: warning: finished the restore of ${server.confdir} that was cut off\n`;
  expect(again.stderr.includes(finished), again.stderr).toBe(isOpen);
  expect(await look()).toEqual(NEW);
  await expectNothingLeft();
});

const OPEN = RESTORE_STEPS.slice(
  RESTORE_STEPS.indexOf('restore-journaled'),
  RESTORE_STEPS.indexOf('restore-closed'),
);

test.each(OPEN)('kill -9 at %s: the command of the hint finishes it', async (step) => {
  await goOn();
  await restore(step);
  const finished = await restore(undefined, '--finish');
  expect(finished).toMatchObject({
    status: 0,
    stderr: `ktadmin: warning: finished the restore of ${server.confdir} that was cut off\n`,
  });
  expect(await look()).toEqual(NEW);
  await expectNothingLeft();
  expect(await restore(undefined, '--finish')).toMatchObject({
    status: 0,
    stdout: '',
    stderr: 'nothing was cut off: there is nothing to finish\n',
  });
});
