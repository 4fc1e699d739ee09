/** Defects that a stranger found: a server that was lost and made anew pushed its own good sets out. */
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { SERVER_TABLES } from '../../src/lib/database/tables.ts';
import { refusal, said } from '../support/refusal.ts';
import { ownedDirectory, testServer } from '../support/sandbox.ts';
import { backup, setsIn } from '../support/sets.ts';

test('defect: --roll deleted the last sets of a server that was lost and made anew, and empty', async () => {
  const server = await testServer();
  for (const name of ['a', 'b', 'c']) await server.orgtool(['add', '-n', name, '-c', 'root@localhost']);
  const older = await backup(server);
  const full = await backup(server);
  await server.query('delete from contact; delete from organization');
  const output = await ownedDirectory(server.directory, 'backups');
  for (let count = 0; count < 3; count += 1) {
    const rolled = said(await server.ktbackup(['--cleartext', '-q', '--roll=1', `--output=${output}`]));
    expect(rolled.status).toBe(0);
    expect(rolled.stderr).toContain(
      `WARNING - ${full} is not deleted: it holds 3 organization rows, and no newer set more than 0\n`,
    );
  }
  expect(await setsIn(output)).toHaveLength(2);
  expect(await setsIn(output)).toContain(basename(full));
  expect(await setsIn(output)).not.toContain(basename(older));
});

test('defect: a set without the table of the deposits was made and called good', async () => {
  const server = await testServer();
  await server.query('drop table public.deposit');
  expect(said(await server.ktbackup(['--cleartext', '-q']))).toEqual(
    refusal(
      3,
      'the database lacks deposit: a set of it would not be one of a server',
      'ktadmin restore FILE brings back what was lost',
    ),
  );
});

test('the tables that every set must have are those that the program makes', async () => {
  const server = await testServer();
  const found = await server.query(
    "select string_agg(relname, ' ' order by relname) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'schema_migration'",
  );
  expect(found.split(' ')).toEqual(SERVER_TABLES);
});

test('a set is not put where the database lies', async () => {
  const server = await testServer();
  for (const place of [server.pgRootdir, join(server.pgRootdir, 'data', 'sets')]) {
    expect(said(await server.ktbackup(['--cleartext', '-q', '--output', place]))).toEqual(
      refusal(2, `${place} lies in the directory of the database, which a set must outlive`),
    );
  }
});
