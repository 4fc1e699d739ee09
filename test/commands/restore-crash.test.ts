import { readdir } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { RESTORE_STEPS } from '../../src/lib/backups/steps.ts';
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
import { sharedServer } from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';

const server = sharedServer();
const NEW = { files: '', dump: '' };
let words: string[] = [];

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  words = [await backup(server), '--yes'];
  expect((await restore(server, words)).status).toBe(0);
  Object.assign(NEW, await look(server));
});

async function prepare() {
  await forgetFormers(server);
  await goOn(server);
  return look(server);
}

/** Every command that would work on a mixture is refused, and names the way out. */
async function expectRefusals() {
  const refused = refusal(server);
  expect(await server.orgtool(['list'])).toMatchObject(refused);
  expect(await server.ktbackup(['--cleartext', '--quiet'])).toMatchObject(refused);
  expect(await server.ktadmin(['init'])).toMatchObject(refused);
  expect(await server.ktadmin(['db', 'restart'])).toMatchObject(refused);
}

test.each(someOf(RESTORE_STEPS))(
  'kill -9 at %s: old, new or refused; the same command finishes',
  async (step) => {
    const old = await prepare();
    const killed = await restore(server, words, step);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    const open = await isOpen(server);
    if (open) await expectRefusals();
    else expect([old, NEW]).toContainEqual(await look(server));
    const again = await restore(server, words);
    expect(again).toMatchObject({ status: 0 });
    expect(again.stdout).toMatch(/^Restored .*: 1 organization, 1 contact/);
    const finished = `ktadmin: warning: finished the restore of ${server.confdir} that was cut off\n`;
    expect(again.stderr.includes(finished), again.stderr).toBe(open);
    expect(await look(server)).toEqual(NEW);
    await expectNothingLeft(server);
    const left = (await readdir('/tmp')).filter(
      (name) => name.startsWith('ktgpg-') && name.includes(`-${killed.pid}-`),
    );
    expect(left).toEqual([]);
  },
);

const OPEN = RESTORE_STEPS.slice(
  RESTORE_STEPS.indexOf('restore-journaled'),
  RESTORE_STEPS.indexOf('restore-closed'),
);

test.each(someOf(OPEN))('kill -9 at %s: the commands of the hint finish it, or go back', async (step) => {
  const old = await prepare();
  await restore(server, words, step);
  expect(await restore(server, ['--undo', '--yes'])).toMatchObject({
    status: 0,
    stdout: `Took back the restore of ${server.confdir} that was cut off: what was there before is in place\n`,
    stderr: `ktadmin: warning: took back the restore of ${server.confdir} that was cut off: what was there before is in place\n`,
  });
  expect(await look(server)).toEqual(old);
  await expectNothingLeft(server);

  await restore(server, words, step);
  expect(await restore(server, ['--finish'])).toMatchObject({
    status: 0,
    stderr: `ktadmin: warning: finished the restore of ${server.confdir} that was cut off\n`,
  });
  expect(await look(server)).toEqual(NEW);
  await expectNothingLeft(server);
  expect(await restore(server, ['--finish'])).toMatchObject({
    status: 0,
    stdout: '',
    stderr: 'nothing was cut off: there is nothing to finish\n',
  });
});
