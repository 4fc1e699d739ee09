import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ownedDirectory, testServer, world } from '../support/sandbox.ts';

test('an administrator who has lost everything gets it back from an encrypted backup', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'disaster-recov', '-c', 'finn@example.com,jake@example.com']);
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const before = await server.orgtool(['list']);
  const output = await ownedDirectory(server.directory, 'backups');
  const backup = await server.ktbackup(['--gpg-recipient=John Doe', '--quiet', `--output=${output}`]);
  expect(backup.stderr).toBe('');
  expect(backup.status).toBe(0);

  await server.ktadmin(['db', 'stop']);
  await rm(server.confdir, { recursive: true });
  await rm(server.pgRootdir, { recursive: true });

  const restored = await server.ktadmin([
    'restore',
    backup.stdout.trim(),
    '--gnupg-home',
    world.administrator,
    '--yes',
  ]);
  expect(restored).toMatchObject({ status: 0 });
  expect(restored.stdout).toContain(server.fingerprint);
  const after = await server.orgtool(['list']);
  expect(after.stdout).toBe(before.stdout);
  expect(JSON.parse(after.stdout)).toHaveProperty('disaster-recov.auth_secret');
});
