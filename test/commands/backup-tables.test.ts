import { expect, test } from 'vitest';
import { realBindir } from '../support/faults.ts';
import { asAccount, temporaryDirectory, testServer } from '../support/sandbox.ts';
import { backup, unpack } from '../support/sets.ts';
import { dumpOf } from '../support/state.ts';

const ODD = `
  create table public.every (a bool, b int2, c int4, d int8, e float4, f float8, g date, h timestamp, i timestamptz,
    j uuid, k bytea, l text, m varchar(20), dropped text, n int4 generated always as (c * 2) stored);
  alter table public.every drop column dropped;
  insert into public.every values
    (true, 1, 2, 3, 0.1, 'NaN', '2024-02-29', '2024-02-29 12:00', now(), gen_random_uuid(), '\\x00ff0a5c2e', E'a\\tb\\n\\\\.\n', 'ü鍵');
  insert into public.every default values;
  insert into public.every (k, l) select decode(repeat(md5(i::text), 3000), 'hex'), repeat('x', 100000) from generate_series(1, 20) i;
  create table public.none (a int4);
  create table public."Odd ""Name""/.." (a text, "b c" int4);
  insert into public."Odd ""Name""/.." values ('in text', 1);
  create table public.other (a jsonb, b numeric, c text[]);
  insert into public.other values ('{"a": 1}', 1.50, '{a,b}'), (null, null, null);
  create table public.heir () inherits (public.none);
  insert into public.heir values (7);
  select setval('public.organization_id_seq', 4711)`;

test('tables of every kind and odd ones come back to the byte, those of unknown types as text', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  await server.query(ODD);
  const before = await dumpOf(server);
  const set = await backup(server);
  const { manifest } = await unpack(set, await temporaryDirectory());
  expect(manifest.database.rows).toMatchObject({ every: 22, none: 0, heir: 1, 'Odd "Name"/..': 1, other: 2 });
  const names = manifest.database.parts.map((path) => path.slice(path.lastIndexOf('/') + 1));
  expect(names).toContain('every.copy');
  expect(names).toContain('heir.copy');
  expect(names.filter((name) => /odd|other/i.test(name))).toEqual([]);
  await server.query('drop table public.every; delete from public.other');
  const restored = await server.ktadmin(['restore', set, '--yes']);
  expect(restored.status, restored.stderr).toBe(0);
  expect(await dumpOf(server)).toBe(before);
});

test('a database in another encoding than UTF-8 goes through as text', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const recode = await asAccount('sh', [
    '-euc',
    `cd /; export PGHOST=${server.pgRootdir}/run PGPORT=${server.port} PGUSER=keytrustee
     PATH=${await realBindir()}:$PATH
     createdb -T template0 -E LATIN1 --locale=C recoded
     pg_dump keytrustee | psql -q -X -v ON_ERROR_STOP=1 -o /dev/null recoded
     psql -X -q -d recoded -c "update contact set email = U&'\\00fc@example.com'"
     psql -X -q -d postgres -c 'alter database keytrustee rename to gone' -c 'alter database recoded rename to keytrustee'`,
  ]);
  expect(recode.stderr).toBe('');
  const { manifest } = await unpack(await backup(server), await temporaryDirectory());
  expect(manifest.database.parts.map((path) => path.slice(path.lastIndexOf('/') + 1))).toEqual([
    'tables.sql',
    'constraints.sql',
  ]);
});
