import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { descendants } from '../../support/processes.ts';
import {
  isRoot,
  type Outcome,
  type RunOptions,
  sharedServer,
  temporaryDirectory,
  until,
  withoutDrop,
} from '../../support/sandbox.ts';
import { hasTerminal, ktadminOnTerminal } from '../../support/terminal.ts';

const server = sharedServer();
const SECRET = 'C4nary-of-the-test';
const LINE =
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - keytrustee\.server\.orgtool - INFO - Setting authorization secret\n$/;

const setAuth = (args: string[], options?: RunOptions): Promise<Outcome> =>
  server.orgtool(['set-auth', '-n', 'prod', ...args], options);

async function code(): Promise<string> {
  const { stdout } = await server.orgtool(['list', '-n', 'prod']);
  return (JSON.parse(stdout) as { prod: { auth_secret: string } }).prod.auth_secret;
}

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'a@example.com']);
});

test('-s sets the code, and warns once that others can see it', async () => {
  const set = await setAuth(['-s', 'ThisISAs3cr3t!']);
  expect(set).toMatchObject({ status: 0, stdout: '' });
  const [warning, line] = withoutDrop(set.stderr).split(/(?<=\n)/);
  expect(warning).toBe(
    'ktadmin: warning: other users can see the code in the list of processes; --secret-stdin hides it\n',
  );
  expect(line).toMatch(LINE);
  expect(await code()).toBe('ThisISAs3cr3t!');
});

test('-s "" lets clients in without a code, and says so', async () => {
  const set = await setAuth(['-s', '']);
  expect(set).toMatchObject({ status: 0, stdout: '' });
  const [line, warning] = withoutDrop(set.stderr).split(/(?<=\n)/);
  expect(line).toMatch(LINE);
  expect(warning).toBe('ktadmin: warning: prod now lets every client in without a code\n');
  expect(await code()).toBe('');
});

test.each([
  ['a line', 'from a pipe\n', 'from a pipe'],
  ['a line of Windows', 'from afar\r\n', 'from afar'],
  ['no end of line', 'unended', 'unended'],
  ['several lines', 'first\nsecond\n', 'first'],
  ['what is not ASCII', 'pässwörd €😀\n', 'pässwörd €😀'],
])('--secret-stdin takes the first line: %s', async (_what, input, expected) => {
  const set = await setAuth(['--secret-stdin'], { input });
  expect(withoutDrop(set.stderr)).toMatch(LINE);
  expect(set).toMatchObject({ status: 0, stdout: '' });
  expect(await code()).toBe(expected);
});

test('--secret-file takes the first line of a file that only the caller can read', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'code');
  await writeFile(file, 'from a file\n', { mode: 0o600 });
  await chmod(file, 0o600);
  const set = await setAuth(['--secret-file', file]);
  expect(withoutDrop(set.stderr)).toMatch(LINE);
  expect(await code()).toBe('from a file');
});

test('--generate makes a code, prints it and sets it', async () => {
  const set = await setAuth(['--generate']);
  expect(set.status).toBe(0);
  expect(set.stdout).toMatch(/^[A-Za-z0-9+/]{22}==\n$/);
  expect(withoutDrop(set.stderr)).toMatch(LINE);
  expect(`${await code()}\n`).toBe(set.stdout);
  const machine = await setAuth(['--generate', '--json']);
  expect(JSON.parse(machine.stdout)).toEqual({
    name: 'prod',
    automaticApproval: false,
    secret: await code(),
  });
});

const REFUSED: [what: string, args: string[], options: RunOptions, stderr: string][] = [
  [
    'two ways at once',
    ['-s', SECRET, '--generate'],
    {},
    'ktadmin: error: give only one of -s, --secret-stdin, --secret-file or --generate\n',
  ],
  [
    'no way, and nobody to ask',
    [],
    {},
    'ktadmin: error: give the code by -s, --secret-stdin, --secret-file or --generate\n',
  ],
  [
    'an empty pipe, as a program that failed leaves it',
    ['--secret-stdin'],
    { input: '' },
    'ktadmin: error: the authorization code is empty\nktadmin: hint: to let clients in without a code, give -s ""\n',
  ],
  [
    'an empty first line',
    ['--secret-stdin'],
    { input: '\nsecond\n' },
    'ktadmin: error: the authorization code is empty\nktadmin: hint: to let clients in without a code, give -s ""\n',
  ],
  [
    'a control character in an argument',
    ['-s', `${SECRET}\u0007`],
    {},
    'ktadmin: error: -s: an authorization code is one line without control characters\n',
  ],
  [
    'a control character from a pipe',
    ['--secret-stdin'],
    { input: `${SECRET}\t\n` },
    'ktadmin: error: an authorization code is one line without control characters\n',
  ],
  [
    'a code of 1025 bytes',
    ['-s', 'ä'.repeat(512) + SECRET[0]],
    {},
    'ktadmin: error: -s: an authorization code has at most 1024 bytes\n',
  ],
  [
    'an endless line',
    ['--secret-stdin'],
    { input: 'x'.repeat(70_000) },
    'ktadmin: error: the first line of standard input is too long\n',
  ],
  ['a directory', ['--secret-file', '/'], {}, 'ktadmin: error: /: is a directory\n'],
  ['no file', ['--secret-file', '/nowhere/x'], {}, 'ktadmin: error: /nowhere/x: no such file or directory\n'],
  [
    'a word too many, which may be half of a code with a space',
    ['-s', 'C4nary', SECRET],
    {},
    'ktadmin: error: too many words after the command: 1, and it takes none\nktadmin: hint: keytrustee-orgtool set-auth --help shows how it is used\n',
  ],
  [
    'a mistyped option with the code behind it',
    [`--sceret=${SECRET}`],
    {},
    'ktadmin: error: unknown option --sceret\nktadmin: hint: Did you mean --secret?\n',
  ],
  [
    'an unknown letter with the code behind it',
    [`-S${SECRET}`],
    {},
    'ktadmin: error: unknown option -S\nktadmin: hint: keytrustee-orgtool set-auth --help shows how it is used\n',
  ],
];

test.each(REFUSED)(
  'refused, with the code unchanged and unspoken: %s',
  async (_what, args, options, stderr) => {
    const before = await code();
    const set = await setAuth(args, options);
    expect({ ...set, stderr: withoutDrop(set.stderr) }).toMatchObject({ stdout: '', stderr });
    expect(set.status).toBe(args[0] === '--secret-file' ? (args[1] === '/' ? 1 : 5) : 2);
    const machine = await setAuth([...args, '--json', '--verbose'], options);
    expect(set.stderr + machine.stderr + machine.stdout).not.toContain(SECRET);
    expect(await code()).toBe(before);
  },
);

test('a code that is not UTF-8 is refused, for no client could ever give it', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'code');
  await writeFile(file, Buffer.from([0x70, 0xe4, 0x0a]), { mode: 0o644 });
  const set = await setAuth(['--secret-file', file]);
  expect(set).toMatchObject({ status: 2, stdout: '' });
  expect(set.stderr).toBe(`ktadmin: error: the first line of ${file} is not text in UTF-8\n`);
});

test('an unknown organization is told without the code', async () => {
  const set = await server.orgtool(['set-auth', '-n', 'nobody', '--secret-stdin', '--verbose'], {
    input: SECRET,
  });
  expect(set).toMatchObject({ status: 5, stdout: '' });
  expect(withoutDrop(set.stderr)).toBe(
    'ktadmin: error: there is no organization nobody\nktadmin: hint: ktadmin orgtool list shows those that exist\n',
  );
});

test('a code from a pipe is in no list of processes', async () => {
  const seen: string[] = [];
  let pid = 0;
  const done = setAuth(['--secret-stdin'], { input: `${SECRET}\n`, started: (child) => (pid = child.pid) });
  let isOver = false;
  void done.finally(() => (isOver = true));
  await until(async () => {
    for (const { words } of await descendants(process.pid)) seen.push(words.join(' '));
    return isOver;
  }, 'the end of set-auth');
  expect(pid).toBeGreaterThan(0);
  expect(seen.some((words) => words.includes('set-auth'))).toBe(true);
  expect(seen.filter((words) => words.includes(SECRET))).toEqual([]);
  expect((await done).stderr).not.toContain(SECRET);
});

test('SQL in a code is only a code', async () => {
  const odd = `'); update organization set auth_secret = ''; -- $1 %s \\x00 {"a":1}`;
  await server.orgtool(['add', '-n', 'other', '-c', 'a@example.com']);
  const before = (await server.orgtool(['list', '-n', 'other'])).stdout;
  await setAuth(['-s', odd]);
  expect(await code()).toBe(odd);
  expect((await server.orgtool(['list', '-n', 'other'])).stdout).toBe(before);
});

test.skipIf(!hasTerminal)('on a terminal the code is asked for, and not shown', async () => {
  const screen = await ktadminOnTerminal(server, ['orgtool', 'set-auth', '-n', 'prod'], {
    typing: [['New authorization code of prod', `${SECRET}\r`]],
  });
  expect(screen.status).toBe(0);
  expect(screen.text).not.toContain(SECRET);
  expect(screen.text).toContain('Setting authorization secret');
  expect(await code()).toBe(SECRET);
});

test.skipIf(!hasTerminal)('a prompt takes no empty code, and Ctrl-C at it changes nothing', async () => {
  const before = await code();
  const screen = await ktadminOnTerminal(server, ['orgtool', 'set-auth', '-n', 'prod', '--no-color'], {
    typing: [
      ['New authorization code of prod', '\r'],
      ['the authorization code is empty', '\u0003'],
    ],
  });
  expect(screen.status).toBe(130);
  expect(screen.text).toContain('ktadmin: error: interrupted by SIGINT');
  expect(await code()).toBe(before);
});

test.skipIf(!hasTerminal)('--no-input asks nobody, not even on a terminal', async () => {
  const screen = await ktadminOnTerminal(server, [
    'orgtool',
    'set-auth',
    '-n',
    'prod',
    '--no-input',
    '--no-color',
  ]);
  expect(screen.status).toBe(2);
  expect(screen.text).toBe(
    'ktadmin: error: give the code by -s, --secret-stdin, --secret-file or --generate\r\n',
  );
});

test.skipIf(!isRoot)(
  'as root, a file that the service account cannot read will do: it is the caller’s',
  async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'root-only');
    await writeFile(file, 'of root\n', { mode: 0o600 });
    const set = await setAuth(['--secret-file', file]);
    expect(set.status).toBe(0);
    expect(await code()).toBe('of root');
  },
);

test.skipIf(!hasTerminal)(
  '--secret-stdin on a terminal does not show the code, and Ctrl-C stores nothing',
  async () => {
    const before = await code();
    const args = ['orgtool', 'set-auth', '-n', 'prod', '--secret-stdin'];
    const stopped = await ktadminOnTerminal(server, args, { typing: [['Authorization code', 'oops\u0003']] });
    expect(stopped.status).toBe(130);
    expect(await code()).toBe(before);
    const set = await ktadminOnTerminal(server, args, { typing: [['Authorization code', 'typed here\r']] });
    expect(set.status).toBe(0);
    expect(set.text).not.toContain('typed here');
    expect(await code()).toBe('typed here');
  },
);
