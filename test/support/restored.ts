/** A server that goes on after its backup, for tests that restore it. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { give } from './faults.ts';
import { checksums, type Outcome, queryDatabase, type TestServer, until, withoutDrop } from './sandbox.ts';
import { databasesOf, dumpOf } from './state.ts';

/** What a state is known by: every file of the configuration, every row of the database. */
export async function look(server: TestServer) {
  return {
    files: await checksums(server.confdir).catch(() => 'missing'),
    dump: await dumpOf(server).catch(() => 'missing'),
  };
}

/** `ktadmin restore WORDS`, killed at a step where one is named; PostgreSQL may notice the death of the last run late. */
export async function restore(
  server: TestServer,
  words: string[],
  step?: string,
): Promise<Outcome & { pid: number }> {
  const env: Record<string, string> = step === undefined ? {} : { KTADMIN_KILL_AT: step };
  let pid = 0;
  const started = (child: { pid: number }) => (pid = child.pid);
  let outcome = await server.ktadmin(['restore', ...words], { env, started });
  await until(async () => {
    if (outcome.status === 75) outcome = await server.ktadmin(['restore', ...words], { env, started });
    return outcome.status !== 75;
  }, 'the lock of the dead run is free');
  return { ...outcome, pid, stderr: withoutDrop(outcome.stderr) };
}

/** Forgets every former state of a server. */
export async function forgetFormers(server: TestServer): Promise<void> {
  for (const name of await readdir(server.directory))
    if (name.includes('.before-')) await rm(join(server.directory, name), { recursive: true });
  for (const name of await databasesOf(server)) {
    if (!name.startsWith('keytrustee_old_')) continue;
    await queryDatabase(server, `drop database ${name.split(' ')[0]}`, 'postgres');
  }
}

/** Changes both halves of a server. */
export async function goOn(server: TestServer): Promise<void> {
  await server.orgtool(['add', '-n', 'later', '-c', 'root@localhost']);
  await writeFile(join(server.confdir, 'later'), 'later');
  await give(join(server.confdir, 'later'));
}

/** Whether an exchange is open. */
export async function isOpen(server: TestServer): Promise<boolean> {
  return (await readdir(server.directory)).includes('.keytrustee.exchange.json');
}

/** What a run that died may leave: nothing but former states, once another run has been there. */
export async function expectNothingLeft(server: TestServer): Promise<void> {
  const beside = (await readdir(server.directory)).filter((name) => !name.includes('.before-'));
  expect(beside.toSorted()).toEqual(['.keytrustee', 'audit', 'backups', 'db']);
  const databases = await databasesOf(server);
  expect(databases.filter((name) => !/^keytrustee_old_\d+ false$/.test(name))).toEqual([
    'keytrustee true',
    'postgres true',
    'template0 false',
    'template1 true',
  ]);
}

/** What every command says that would work on a mixture. */
export const refusal = (server: TestServer) => ({
  status: 3,
  stdout: '',
  stderr:
    `ktadmin: error: a restore of ${server.confdir} was cut off while old and new were exchanged, or is at it now\n` +
    `ktadmin: hint: to finish it: ktadmin restore --finish --confdir ${server.confdir}; ` +
    `to go back: ktadmin restore --undo --confdir ${server.confdir}\n`,
});
