/** What a restore leaves where the tables of a set are of another version. */
import { beforeEach, expect, test } from 'vitest';
import { refusal } from '../support/refusal.ts';
import { type Outcome, sharedServer, withoutDrop } from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';
import { stateOf } from '../support/state.ts';

const server = sharedServer();
const SECOND = "name = '0002-server'";

beforeEach(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
});

/** A set whose account of the versions of its tables is not true. */
async function setWith(wrong: string, right: string): Promise<string> {
  await server.query(wrong);
  const set = await backup(server);
  await server.query(right);
  return set;
}

const ending = ({ status, stdout, stderr }: Outcome) => ({
  ...{ status, stdout },
  stderr: withoutDrop(stderr).split('\n').slice(-4).join('\n'),
});
const VERDICT = 'Nothing was restored: what was there is in place\n';
const MESSAGE = 'the tables of the set cannot be brought up to this version';

test('defect: a set whose tables could not be brought up to this version took the place of what was there', async () => {
  const set = await setWith(
    `delete from schema_migration where ${SECOND}`,
    "insert into schema_migration (name, run_on) values ('0002-server', now())",
  );
  const before = await stateOf(server);
  expect(ending(await server.ktadmin(['restore', set, '--yes']))).toEqual({
    ...{ status: 1, stdout: '' },
    stderr: expect.stringMatching(new RegExp(`${VERDICT}ktadmin: error: ${MESSAGE}: .* already exists\n$`)),
  });
  expect(await stateOf(server)).toEqual(before);
});

test('defect: a set of a newer version took the place of what was there', async () => {
  const set = await setWith(
    "insert into schema_migration (name, run_on) values ('0099-later', now())",
    "delete from schema_migration where name = '0099-later'",
  );
  const before = await stateOf(server);
  const newer = `${MESSAGE}: the database was made by a newer version of ktadmin (0099-later)`;
  const { status, stderr } = refusal(3, newer, 'install that version');
  expect(ending(await server.ktadmin(['restore', set, '--yes']))).toEqual({
    ...{ status, stdout: '' },
    stderr: `${VERDICT}${stderr}`,
  });
  expect(await stateOf(server)).toEqual(before);
});
