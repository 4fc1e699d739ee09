import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { realBindir } from '../support/faults.ts';
import {
  asAccount,
  checksums,
  isRoot,
  type Outcome,
  ownedDirectory,
  run,
  type TestServer,
  temporaryDirectory,
  testServer,
  world,
} from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';

/** A server with what must come back, a set of it, and a place outside of it for the set. */
async function lostServer() {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'disaster-recov', '-c', 'finn@example.com,jake@example.com']);
  await server.orgtool(['set-auth', '-n', 'disaster-recov', '--secret-stdin'], { input: 'ThisISAs3cr3t!' });
  const before = { list: (await server.orgtool(['list'])).stdout, files: await checksums(server.confdir) };
  const set = await backup(server, '--gpg-recipient=John Doe');
  const safe = await ownedDirectory(await temporaryDirectory(), 'safe');
  await run('mv', [set, safe]);
  await server.query("delete from contact; update organization set auth_secret = 'lost', name = 'changed'");
  await rm(server.confdir, { recursive: true });
  return { server, before, set: join(safe, basename(set)), archive: join(safe, 'BACKUP.tar') };
}

/** Words of the manual run as the service account, as its `sudo -u keytrustee` does. */
async function must(done: Promise<Outcome>): Promise<string> {
  const { status, stdout, stderr } = await done;
  expect(status, stderr).toBe(0);
  return stdout;
}

/** Step 4 of the manual: psql on the cluster's socket, with nothing but what the manual says. */
async function restoreDatabase(server: TestServer, sql: string): Promise<void> {
  const bin = await realBindir();
  const env = { PGHOST: join(server.pgRootdir, 'run'), PGUSER: 'keytrustee', PGDATABASE: 'keytrustee' };
  const psql = [join(bin, 'psql'), ['-p', String(server.port)]] as const;
  const answers = await asAccount(psql[0], [...psql[1]], {
    env,
    input: '\\c postgres\ndrop database keytrustee;\ncreate database keytrustee;\n',
  });
  expect(answers.stderr).toBe('');
  expect(answers.stdout).toContain('CREATE DATABASE');
  const loaded = await asAccount(psql[0], [...psql[1], '-f', sql], { env });
  expect(loaded).toMatchObject({ status: 0, stderr: '' });
}

test('a set is restored with nothing but gpg, tar and psql, by the service account', async () => {
  const { server, before, set, archive } = await lostServer();
  await must(run('gpg', ['--homedir', world.administrator, '--batch', '-d', '-o', archive, set]));
  const listing = await must(run('tar', ['tvf', archive]));
  expect(listing).toMatch(/^drwx------ \S+\/\S+ +0 .* \S+\/\.keytrustee\/\n/);
  await run('chown', [world.account.name, archive]);
  await must(asAccount('tar', ['xvf', archive, '-C', '/']));
  await restoreDatabase(server, join(server.directory, basename(set).replace('.tar.gpg', '.sql')));

  expect(await checksums(server.confdir)).toBe(before.files);
  expect((await server.orgtool(['list'])).stdout).toBe(before.list);
  expect((await server.ktadmin(['db', 'restart'])).status).toBe(0);
  expect((await server.orgtool(['add', '-n', 'next', '-c', 'root@localhost'])).status).toBe(0);
  const again = await server.ktbackup(['--cleartext', '--quiet']);
  expect(again.status).toBe(0);
});

test.skipIf(!isRoot)(
  'root restores it likewise, and the files belong to the service account again (needs root)',
  async () => {
    const { server, before, set, archive } = await lostServer();
    await must(run('gpg', ['--homedir', world.administrator, '--batch', '-d', '-o', archive, set]));
    const listed = await run('tar', ['xvf', archive, '-C', '/']);
    expect(listed.status, listed.stderr).toBe(0);
    expect(listed.stdout.split('\n')[0]).toBe(`${server.confdir.slice(1)}/`);
    for (const entry of await readdir(server.confdir, { recursive: true })) {
      const { uid, gid, mode } = await lstat(join(server.confdir, entry));
      expect([uid, gid]).toEqual([world.account.uid, world.account.gid]);
      expect(mode & 0o077).toBe(0);
    }
    const sql = join(server.directory, basename(set).replace('.tar.gpg', '.sql'));
    expect((await lstat(sql)).mode & 0o777).toBe(0o600);
    await restoreDatabase(server, sql);
    expect(await checksums(server.confdir)).toBe(before.files);
    expect((await server.orgtool(['list'])).stdout).toBe(before.list);
    expect((await readFile(sql, 'utf8')).split('\n').some((line) => line.startsWith('\\!'))).toBe(false);
  },
);
