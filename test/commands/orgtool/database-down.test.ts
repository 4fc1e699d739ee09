import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { testServer, withoutDrop } from '../../support/sandbox.ts';

const COMMANDS = [
  ['add', '-n', 'prod', '-c', 'a@example.com'],
  ['list'],
  ['set-auth', '-n', 'prod', '--generate'],
  ['enable-client', '--fingerprint', 'A'.repeat(40)],
  ['list-clients'],
  ['remove', '-n', 'prod', '--yes'],
];

test('while the database is down every command ends with status 7 and the command that starts it', async () => {
  const server = await testServer({ start: false });
  const socket = join(server.pgRootdir, 'run');
  for (const args of COMMANDS) {
    const { stderr, ...rest } = await server.orgtool(args);
    expect(rest).toEqual({ status: 7, signal: null, stdout: '' });
    expect(withoutDrop(stderr)).toBe(
      `ktadmin: error: the database does not answer (port ${server.port}, socket in ${socket})\n` +
        `ktadmin: hint: ktadmin db start --pg-rootdir ${server.pgRootdir}\n`,
    );
  }
  const start = ['db', 'start', '--pg-rootdir', server.pgRootdir];
  expect((await server.ktadmin(start)).status).toBe(0);
  expect((await server.orgtool(['list'])).stdout).toBe('{}\n');
});

test('with --json the same is one object on stdout', async () => {
  const server = await testServer({ start: false });
  const { stdout, stderr, status } = await server.orgtool(['list', '--json']);
  expect(status).toBe(7);
  expect(withoutDrop(stderr)).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'unreachable',
      message: `the database does not answer (port ${server.port}, socket in ${join(server.pgRootdir, 'run')})`,
      hint: `ktadmin db start --pg-rootdir ${server.pgRootdir}`,
    },
  });
});

test('a server that is frozen does not freeze the command', async () => {
  const server = await testServer();
  const pidFile = await readFile(join(server.pgRootdir, 'data', 'postmaster.pid'), 'utf8');
  const pid = Number.parseInt(pidFile, 10);
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => void process.kill(pid, 'SIGCONT'));
  const { stderr, ...rest } = await server.orgtool(['list']);
  process.kill(pid, 'SIGCONT');
  expect(rest).toEqual({ status: 7, signal: null, stdout: '' });
  expect(withoutDrop(stderr)).toBe(
    `ktadmin: error: the database did not answer in time (port ${server.port}, socket in ${join(server.pgRootdir, 'run')})\n` +
      `ktadmin: hint: ktadmin db status --pg-rootdir ${server.pgRootdir}\n`,
  );
});
