/** How the program ends: defects, signals, readers that have gone, full disks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  baseEnvironment,
  isRoot,
  kt,
  run,
  sharedServer,
  temporaryDirectory,
  until,
  withoutDrop,
  world,
} from '../support/sandbox.ts';

const server = sharedServer();

/** Runs `ktadmin` with a module loaded before it, which breaks something on purpose. */
async function brokenBy(module: string, args: string[]) {
  const preload = join(await temporaryDirectory(), 'broken.mjs');
  await writeFile(preload, module);
  const env = { KEYTRUSTEE_CONFDIR: server.confdir };
  return run(process.execPath, ['--import', preload, join(world.bin, 'ktadmin'), ...args], { env });
}

const DEFECT = `Object.defineProperty(Date.prototype, 'getFullYear', { value: () => { throw new TypeError('oops') } });`;
const HINT = 'ktadmin: hint: run it again with --verbose and report what it prints\n';

test('what nobody foresaw has status 70 and a hint, and a stack only with --verbose', async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'a@example.com']);
  const short = await brokenBy(DEFECT, ['orgtool', 'list']);
  expect({ ...short, stderr: withoutDrop(short.stderr) }).toEqual({
    status: 70,
    signal: null,
    stdout: '',
    stderr: `ktadmin: error: unexpected: oops\n${HINT}`,
  });
  const long = await brokenBy(DEFECT, ['orgtool', 'list', '--verbose']);
  expect(long.status).toBe(70);
  expect(withoutDrop(long.stderr).startsWith(short.stderr.replace(/^Dropped.*\n/, ''))).toBe(true);
  expect(long.stderr).toMatch(/caused by: TypeError: oops\n {4}at .*\n/);
  const machine = await brokenBy(DEFECT, ['orgtool', 'list', '--json']);
  expect(JSON.parse(machine.stdout)).toMatchObject({ error: { code: 'bug', message: 'unexpected: oops' } });
});

test('an error that no command catches ends the same way', async () => {
  const thrown = await brokenBy(
    `process.on('newListener', (name) => { if (name === 'uncaughtException') setImmediate(() => { throw new TypeError('late') }) });`,
    ['orgtool', 'list'],
  );
  expect(thrown.status).toBe(70);
  expect(thrown.stderr).toContain(`ktadmin: error: unexpected: late\n${HINT}`);
  expect(thrown.stderr).not.toMatch(/ at |file:/);
});

test('an ordinary error has no stack, even with --verbose', async () => {
  const { stderr } = await server.ktadmin(['orgtool', 'list', '-n', 'nobody', '--verbose']);
  expect(withoutDrop(stderr)).toBe(
    'ktadmin: error: there is no organization nobody\nktadmin: hint: ktadmin orgtool list shows those that exist\n',
  );
});

/** Starts `orgtool list` while the database is frozen, so that it waits as long as the test wants. */
async function waiting(signals: NodeJS.Signals[], args: string[] = []) {
  const pid = Number.parseInt(await readFile(join(server.pgRootdir, 'data', 'postmaster.pid'), 'utf8'), 10);
  process.kill(pid, 'SIGSTOP');
  try {
    const env = { ...baseEnvironment(), KEYTRUSTEE_CONFDIR: server.confdir };
    const child = spawn('ktadmin', ['orgtool', 'list', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const socket = async () => {
      const links = await run('ls', ['-l', `/proc/${child.pid}/fd`]);
      // Its stdout and stderr are sockets as well.
      return (links.stdout.match(/socket:/g) ?? []).length > 2;
    };
    await until(socket, 'a connection to the frozen database');
    for (const signal of signals) child.kill(signal);
    const [status] = (await once(child, 'close')) as [number];
    return { status, stdout: output.stdout, stderr: withoutDrop(output.stderr) };
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends a command that waits, with status %d', async (signal, status) => {
  expect(await waiting([signal])).toEqual({
    status,
    stdout: '',
    stderr: `ktadmin: error: interrupted by ${signal}\n`,
  });
});

test('an interruption is an error object with --json', async () => {
  const { stdout, stderr, status } = await waiting(['SIGTERM'], ['--json']);
  expect({ status, stderr }).toEqual({ status: 143, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'interrupted', message: 'interrupted by SIGTERM', hint: null },
  });
});

test('a second signal ends the program at once, also while it cleans up', async () => {
  const { status } = await brokenSlowly();
  expect(status).toBe(143);
});

/** A program whose clean-up never ends: only the second signal can end it. */
async function brokenSlowly() {
  const preload = join(await temporaryDirectory(), 'endless.mjs');
  await writeFile(
    preload,
    `import net from 'node:net';
     net.Socket.prototype.connect = function () { process.stderr.write('connecting\\n'); setInterval(() => {}, 1000); return this; };
     net.Socket.prototype.destroy = function () { process.stderr.write('cleaning\\n'); return this; };`,
  );
  const env = { ...baseEnvironment(), KEYTRUSTEE_CONFDIR: server.confdir };
  const child = spawn(
    process.execPath,
    ['--import', preload, join(world.bin, 'ktadmin'), 'orgtool', 'list'],
    {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await until(() => stderr.includes('connecting'), 'the connection');
  child.kill('SIGTERM');
  await until(() => stderr.includes('interrupted') || stderr.includes('cleaning'), 'the clean-up');
  child.kill('SIGTERM');
  const [status] = (await once(child, 'close')) as [number];
  return { status };
}

test.each([['--help'], ['--version'], ['orgtool', 'list'], ['orgtool', 'list', '-n', 'nobody', '--json']])(
  'a reader that has gone is no error of %s %s',
  async (...words) => {
    const line = `ktadmin ${words.join(' ')} | true; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await run('bash', ['-c', line], {
      env: { KEYTRUSTEE_CONFDIR: server.confdir },
    });
    expect(withoutDrop(stderr)).toBe('');
    expect(stdout).toBe(words.includes('nobody') ? '5\n' : '0\n');
  },
);

test.each([[['--help']], [['--version']], [['orgtool', 'list']], [['orgtool', 'list-clients', '--json']]])(
  'a full disk under the stdout of %j is an error on stderr, without a stack',
  async (words) => {
    const line = `ktadmin ${words.join(' ')} >/dev/full`;
    const full = await run('bash', ['-c', line], { env: { KEYTRUSTEE_CONFDIR: server.confdir } });
    expect(withoutDrop(full.stderr)).toBe('ktadmin: error: standard output: no space left on device\n');
    expect(full.status).toBe(1);
  },
);

test('whatever goes wrong with stderr, the data are whole and the status is right', async () => {
  const line = 'ktadmin orgtool list 2>/dev/full';
  const { stdout, status } = await run('bash', ['-c', line], { env: { KEYTRUSTEE_CONFDIR: server.confdir } });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toHaveProperty('prod');
});

test('the program needs no HOME, no PATH but the system’s, no TERM and no working directory of its own', async () => {
  const directory = await temporaryDirectory();
  const line = `cd ${directory} && rmdir ${directory} && exec env -i ${process.execPath} ${join(world.bin, 'ktadmin')} --confdir ${server.confdir} orgtool list`;
  const { status, stdout, stderr } = await run('bash', ['-c', line]);
  expect(withoutDrop(stderr)).toBe('');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toHaveProperty('prod');
});

test.skipIf(!isRoot)(
  'somebody else is refused with the line that does it, and without the secret that was typed',
  async () => {
    const words = ['orgtool', 'set-auth', '-n', 'prod', '--confdir', server.confdir];
    const other = (more: string[]) =>
      run('setpriv', [
        '--reuid=nobody',
        '--regid=nogroup',
        '--clear-groups',
        join(world.bin, 'ktadmin'),
        ...words,
        ...more,
      ]);
    for (const secret of [
      ['-s', 'C4nary'],
      ['-sC4nary'],
      ['--secret=C4nary'],
      ['-qsC4nary'],
      ['--secret', 'C4nary'],
    ]) {
      const { status, stdout, stderr } = await other(secret);
      expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
      expect(stderr).not.toContain('C4nary');
      expect(stderr).toMatch(
        /^ktadmin: error: .*\nktadmin: hint: sudo .*ktadmin orgtool set-auth -n prod .*\n$/,
      );
    }
  },
);

test('every name runs under a umask that keeps others out', async () => {
  const preload = join(await temporaryDirectory(), 'umask.mjs');
  await writeFile(preload, `process.on('exit', () => process.stdout.write(process.umask().toString(8)));`);
  const shown = await kt('ktadmin', ['--version'], { env: { NODE_OPTIONS: `--import=${preload}` } });
  expect(shown.stdout).toMatch(/\n77$/);
});
