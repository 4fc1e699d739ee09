/** A server whose audit trail cannot be written does nothing that belongs into it, and goes on once it can. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linesOf } from '../../support/audit.ts';
import { depositor } from '../../support/depositor.ts';
import { smallDisk } from '../../support/disk.ts';
import { isRoot, testServer, until } from '../../support/sandbox.ts';
import { ask, configure, serving } from '../../support/serving.ts';

const unavailable = { status: 503, json: { error: { code: 'unavailable' } } };

test('its file is deleted: puts, gets and pages are refused with 503 until a reload, which records the gap', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
  const running = await serving(server);
  const client = await depositor(server, running, 'prod');
  expect(await client.put('before', 'handle=before')).toMatchObject({ status: 201 });
  const audit = join(server.directory, 'audit');
  for (const name of await readdir(audit)) if (name.startsWith('server-')) await rm(join(audit, name));
  expect(await client.put('lost', 'handle=lost')).toMatchObject(unavailable);
  expect(running.stderr()).toMatch(
    /"level":"error".*the audit trail cannot be written.*requests cannot be answered/,
  );
  const refused = await client.ask('GET', '/v1/handles/before');
  expect(refused).toMatchObject({ ...unavailable, headers: { 'retry-after': expect.any(String) as string } });
  expect(await client.ask('DELETE', '/v1/handles/before')).toMatchObject(unavailable);
  expect(await ask(running.port, '/v1/health/ready')).toMatchObject({ status: 503 });
  expect(await server.query('select string_agg(handle, chr(32)) from deposit where deleted_at is null')).toBe(
    'before',
  );
  running.kill('SIGHUP');
  await until(() => running.stderr().includes('reloaded'), 'the server has read its settings again');
  expect(await client.put('after', 'handle=after')).toMatchObject({ status: 201 });
  expect(await client.ask('GET', '/v1/handles/before')).toMatchObject({ status: 200 });
  await until(() => running.stderr().includes('requests are answered again'), 'the log says so');
  expect(running.stderr()).toMatch(/the audit trail goes on in a new file/);
  const verified = await server.ktadmin(['audit', 'verify']);
  expect(verified).toMatchObject({ status: 8 });
  expect(verified.stdout + verified.stderr).toMatch(/server-1/);
});

test('defect: a whole stream could be removed unnoticed: that of a server that is stopped is missed, also after its next start', async () => {
  const server = await testServer();
  const audit = join(server.directory, 'audit');
  const first = await serving(server);
  const mentions = async () =>
    (await linesOf(audit, 'command')).filter(({ what }) => 'server-1.hash' in (what as object));
  await until(async () => (await mentions()).length === 1, 'the start of the server is mentioned');
  first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ status: 0 });
  expect(await mentions()).toHaveLength(2);
  expect(await server.ktadmin(['audit', 'verify'])).toMatchObject({ status: 0 });
  for (const name of await readdir(audit)) if (name.startsWith('server-1.')) await rm(join(audit, name));
  const missing = await server.ktadmin(['audit', 'verify']);
  expect(missing).toMatchObject({ status: 8 });
  expect(missing.stdout).toContain('the whole stream is missing: it had 3 lines at least');
  await serving(server);
  expect((await linesOf(audit, 'server-1'))[0]).toMatchObject({ event: 'audit.gap', seq: 4 });
  expect(await server.ktadmin(['audit', 'verify'])).toMatchObject({ status: 8 });
});

test.skipIf(!isRoot)(
  'its disk is full: nothing is stored, given or deleted, and with space it goes on by itself (needs root: mounts a file system)',
  async () => {
    const disk = await smallDisk('1m');
    const server = await testServer();
    await configure(server, { AUDIT_DIR: join(disk.directory, 'audit'), FREE_SPACE_MEGABYTES: 0 });
    await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
    const running = await serving(server);
    const client = await depositor(server, running, 'prod');
    expect(await client.put('before', 'handle=before')).toMatchObject({ status: 201 });
    await disk.fill();
    // What the last page of the file still takes is taken.
    const fillUp = async () => {
      for (;;) if ((await client.ask('GET', '/v1/handles/before')).status !== 200) return;
    };
    await fillUp();
    expect(await client.put('lost', 'handle=lost')).toMatchObject(unavailable);
    expect(await client.ask('DELETE', '/v1/handles/before')).toMatchObject(unavailable);
    expect(await ask(running.port, '/v1/health/ready')).toMatchObject({ status: 503 });
    expect(await server.query('select count(*) from deposit where deleted_at is null')).toBe('1');
    await disk.free();
    expect(await client.ask('GET', '/v1/handles/before')).toMatchObject({ status: 200 });
    expect(await client.put('after', 'handle=after')).toMatchObject({ status: 201 });
    expect(await server.ktadmin(['audit', 'verify'])).toMatchObject({ status: 0 });
  },
);
