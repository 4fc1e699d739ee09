/** The units of the package, as systemd reads them; and what a service manager is told, on a socket like systemd's. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isRoot, run, temporaryDirectory, testServer, until, world } from '../support/sandbox.ts';
import { serving } from '../support/serving.ts';

const hasSystemd = (await run('sh', ['-c', 'command -v systemd-analyze'])).status === 0;
const hasNotify = (await run('sh', ['-c', 'command -v systemd-notify && command -v perl'])).status === 0;
const UNITS = ['keytrusteed.service', 'keytrustee-db.service'];

/** A unit of the package that names the program where it lies here. */
async function unit(name: string): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '../../packaging/systemd', name), 'utf8');
  expect(text).toContain('ExecStart=/usr/bin/ktadmin ');
  const path = join(await temporaryDirectory(), name);
  await writeFile(path, text.replace('/usr/bin/ktadmin', join(world.bin, 'ktadmin')));
  return path;
}

test.skipIf(!hasSystemd).each(UNITS)(
  '%s is read without a word, and closed to what it does not need (skipped without systemd-analyze)',
  async (name) => {
    const path = await unit(name);
    const verified = await run('systemd-analyze', ['verify', '--man=no', path]);
    expect(verified).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const judged = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', path]);
    expect(judged.status, judged.stdout).toBe(0);
    const settings = (await readFile(path, 'utf8')).replaceAll(/^#.*$/gm, '');
    expect(settings).not.toMatch(/MemoryDenyWriteExecute|RemoveIPC|disallow-code-generation|--no-block/);
  },
);

const LISTENER = `use IO::Socket::UNIX; $| = 1; umask 0; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]);
print "here\\n"; while (defined $s->recv(my $text, 4096)) { print join(' ', split /\\n/, $text), "\\n" }`;

test.skipIf(!hasNotify)(
  'the service manager is told of readiness, reloads and the end (skipped without systemd-notify and perl)',
  async () => {
    const server = await testServer({ start: false });
    const socket = join(server.directory, 'notify');
    const listener = spawn('perl', ['-e', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void listener.kill());
    let told = '';
    listener.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
    await until(() => told.includes('here'), 'the manager listens');
    if (isRoot) await run('chown', [world.account.name, socket]);
    const { kill, ended } = await serving(server, { env: { NOTIFY_SOCKET: socket } });
    await until(() => told.includes('READY=1'), 'it is ready');
    kill('SIGHUP');
    await until(() => told.split('READY=1').length === 3, 'it has reloaded');
    kill('SIGTERM');
    expect(await ended).toEqual({ status: 0, signal: null });
    await until(() => told.includes('STOPPING=1'), 'it stops');
    // What systemd-notify waits with until the manager has read.
    expect(told.replaceAll('BARRIER=1\n', '')).toMatch(
      /^here\nREADY=1 STATUS=serving\nRELOADING=1 MONOTONIC_USEC=\d+\nREADY=1 STATUS=serving\nSTOPPING=1\n$/,
    );
  },
);
