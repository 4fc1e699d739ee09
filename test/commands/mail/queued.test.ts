import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ownedDirectory, run, sharedServer, temporaryDirectory } from '../../support/sandbox.ts';

const server = sharedServer();
const jobs = () =>
  server
    .query('select payload from graphile_worker._private_jobs order by id')
    .then((text) => text.split('\n'));

test('orgtool add queues one mail for each contact that it added, by number, and none for one that is there', async () => {
  await server.orgtool(['add', '-n', 'queued', '-c', 'finn@example.com,jake@example.com']);
  await server.orgtool(['add', '-n', 'queued', '-c', 'jake@example.com,ann@example.com']);
  const ids = (await server.query('select id from public.contact order by id')).split('\n');
  expect(await jobs()).toEqual(ids.map((contactId) => JSON.stringify({ kind: 'invitation', contactId })));
  expect(ids).toHaveLength(3);
});

test('an addition that fails queues nothing', async () => {
  const before = await jobs();
  await server.query(`create function public.refuse() returns trigger language plpgsql as
    $$ begin if new.email = 'late@example.com' then raise exception 'refused'; end if; return null; end $$`);
  await server.query(
    'create constraint trigger refuse after insert on public.contact deferrable initially deferred for each row execute function public.refuse()',
  );
  const added = await server.orgtool(['add', '-n', 'queued', '-c', 'late@example.com']);
  await server.query('drop function public.refuse cascade');
  expect(added.status).not.toBe(0);
  expect(await jobs()).toEqual(before);
});

test('the job queue is made again where it is missing, also by two starts at once', async () => {
  await server.query('drop schema graphile_worker cascade');
  const missing = await server.orgtool(['add', '-n', 'without', '-c', 'finn@example.com']);
  expect(missing).toMatchObject({ status: 3, stdout: '' });
  const started = await Promise.all([1, 2, 3].map(() => server.ktadmin(['db', 'start'])));
  expect(started.map(({ status }) => status)).toEqual([0, 0, 0]);
  expect(await server.query('select count(*), max(id) from graphile_worker.migrations')).toBe('19|19');
  expect((await server.orgtool(['add', '-n', 'without', '-c', 'finn@example.com'])).status).toBe(0);
});

test('a job queue of a newer version is refused', async () => {
  await server.query('insert into graphile_worker.migrations (id) values (20)');
  const started = await server.ktadmin(['db', 'start']);
  await server.query('delete from graphile_worker.migrations where id = 20');
  expect(started.status).toBe(3);
  expect(started.stderr).toContain('made by a newer version of ktadmin (20, known is 19)');
});

test('what waits is not part of a backup set: a restore sends no old mail, and new ones can be queued', async () => {
  await server.orgtool(['add', '-n', 'kept', '-c', 'finn@example.com']);
  const output = await ownedDirectory(server.directory, 'sets');
  const made = await server.ktbackup(['--cleartext', '--quiet', '--output', output]);
  const restored = await server.ktadmin(['restore', made.stdout.trim(), '--yes', '--quiet']);
  expect(restored).toMatchObject({ status: 0 });
  expect(await server.ktadmin(['mail', 'queue', '--json'])).toMatchObject({ status: 0, stdout: '[]\n' });
  await server.orgtool(['add', '-n', 'kept', '-c', 'new@example.com']);
  const queued = await server.ktadmin(['mail', 'queue', '--json']);
  expect(JSON.parse(queued.stdout)).toMatchObject([{ to: 'new@example.com', state: 'waiting', attempts: 0 }]);
});

test('the queue’s library runs nothing that lies in the working directory', async () => {
  const cwd = await temporaryDirectory();
  await writeFile(join(cwd, '.graphile-workerrc.js'), "require('node:fs').writeFileSync('ran', '')");
  const library = join(import.meta.dirname, '../../../dist/lib/graphile-worker.js');
  const loaded = await run(process.execPath, ['-e', 'require(process.argv[1])', library], { cwd });
  expect(loaded).toMatchObject({ status: 0, stderr: '' });
  expect(await readdir(cwd)).toEqual(['.graphile-workerrc.js']);
});
