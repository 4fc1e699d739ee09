/** What goes where: data on stdout, all else on stderr, colour only where it is wanted. */
import { expect, test } from 'vitest';
import { someOf } from '../support/long.ts';
import { isRoot, sharedServer, withoutDrop, world } from '../support/sandbox.ts';
import { hasTerminal, onTerminal } from '../support/terminal.ts';

const server = sharedServer();
const ESCAPE = '\u001b';
const FAILS = ['orgtool', 'list', '-n', 'nobody'];

const COMMANDS: [words: string[], status: number][] = [
  [['--help'], 0],
  [['orgtool', 'add', '--help'], 0],
  [['--version'], 0],
  [['orgtool', 'add', '-n', 'prod', '-c', 'a@example.com'], 0],
  [['orgtool', 'list'], 0],
  [['orgtool', 'list-clients'], 0],
  [['orgtool', 'set-auth', '-n', 'prod', '-s', 'x'], 0],
  [['orgtool', 'disable', '-n', 'prod'], 0],
  [['db', 'status'], 0],
  [['db', 'restart'], 0],
  [['config', 'show', '--origin'], 0],
  [['config', 'check'], 0],
  [['backup', '--cleartext', '--verbose'], 0],
  [FAILS, 5],
  [['orgtool'], 2],
  [['nonsense'], 2],
];

test.each(COMMANDS)('off a terminal %j prints neither colour nor carriage return', async (words, status) => {
  for (const env of someOf([{}, { TERM: 'dumb' }, { COLORTERM: 'truecolor' }])) {
    const run = await server.ktadmin(words, { env });
    expect(run.status).toBe(status);
    expect(run.stdout + run.stderr).not.toContain(ESCAPE);
    expect(run.stdout + run.stderr).not.toContain('\r');
    expect(run.stdout + run.stderr).not.toMatch(/\bat file:|^ {4}at /m);
  }
});

test.each(COMMANDS)(
  'with --json all of the stdout of %j is one JSON value, unless help is asked for',
  async (words, status) => {
    if (words.includes('--help')) return;
    const { stdout, status: ended } = await server.ktadmin([...words, '--json']);
    expect(ended).toBe(status);
    const value = JSON.parse(stdout) as Record<string, unknown>;
    expect('error' in value).toBe(status !== 0);
    if (status !== 0) expect(Object.keys(value.error as object)).toEqual(['code', 'message', 'hint']);
  },
);

test('--quiet silences notices and log lines, and neither data nor warnings nor errors', async () => {
  const quiet = async (...words: string[]) => (await server.ktadmin(['-q', 'orgtool', ...words])).stderr;
  expect(await quiet('add', '-n', 'quiet', '-c', 'a@example.com')).toBe('');
  expect(await quiet('list')).toBe('');
  expect(await quiet('set-auth', '-n', 'quiet', '-s', 'x')).toMatch(/^ktadmin: warning: .*\n$/);
  expect(await quiet('list', '-n', 'nobody')).toMatch(/^ktadmin: error: .*\nktadmin: hint: .*\n$/);
  expect(JSON.parse((await server.ktadmin(['-q', 'orgtool', 'list'])).stdout)).toHaveProperty('quiet');
});

test.skipIf(!isRoot)('root says that it becomes the account, on stderr and only there', async () => {
  const { stdout, stderr } = await server.ktadmin(['orgtool', 'list']);
  expect(stderr).toBe(`Dropped privileges to ${world.account.name}\n`);
  expect(stdout).not.toContain('Dropped');
});

/** Flag over NO_COLOR over FORCE_COLOR over TERM=dumb over whether stderr is a terminal. */
const POLICY: [hasColor: boolean, on: 'terminal' | 'pipe', flag: string[], env: Record<string, string>][] = [
  [true, 'terminal', [], {}],
  [false, 'pipe', [], {}],
  [false, 'terminal', ['--no-color'], {}],
  [false, 'terminal', ['--no-color'], { FORCE_COLOR: '1' }],
  [false, 'terminal', [], { NO_COLOR: '1' }],
  [true, 'terminal', [], { NO_COLOR: '' }],
  [false, 'terminal', [], { NO_COLOR: '1', FORCE_COLOR: '1' }],
  [true, 'pipe', [], { FORCE_COLOR: '1' }],
  [false, 'pipe', ['--no-color'], { FORCE_COLOR: '1' }],
  [false, 'pipe', [], { NO_COLOR: '1', FORCE_COLOR: '1' }],
  [false, 'terminal', [], { FORCE_COLOR: '0' }],
  [false, 'terminal', [], { TERM: 'dumb' }],
  [true, 'terminal', [], { TERM: 'dumb', FORCE_COLOR: '1' }],
];

test.skipIf(!hasTerminal).each(POLICY)(
  'colour %s on a %s with %j and %j',
  async (hasColor, on, flag, env) => {
    const tail = on === 'pipe' ? '2>&1 >/dev/null | cat' : '';
    const all = { KEYTRUSTEE_CONFDIR: server.confdir, ...env };
    const { text } = await onTerminal(['ktadmin', ...flag, ...FAILS], { tail, env: all });
    const plain = withoutDrop(text.replaceAll('\r', ''));
    const hint = 'ktadmin: hint: ktadmin orgtool list shows those that exist\n';
    const label = hasColor ? `${ESCAPE}[31mktadmin: error:${ESCAPE}[39m` : 'ktadmin: error:';
    expect(plain).toBe(`${label} there is no organization nobody\n${hint}`);
  },
);

test.skipIf(!hasTerminal)(
  'on a terminal data carry no colour either, and a pipe behind stdout sees only them',
  async () => {
    const env = { KEYTRUSTEE_CONFDIR: server.confdir };
    await server.orgtool(['add', '-n', 'piped', '-c', 'a@example.com']);
    const { text, status } = await onTerminal(['ktadmin', 'orgtool', 'list', '-n', 'piped'], {
      tail: '2>/dev/null',
      env,
    });
    expect(status).toBe(0);
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['piped']);
  },
);

test.skipIf(!hasTerminal)('prompts heed the colour policy too', async () => {
  const env = { KEYTRUSTEE_CONFDIR: server.confdir };
  const ask = (more: string[]) =>
    onTerminal(['ktadmin', 'orgtool', 'set-auth', '-n', 'prod', ...more], {
      env,
      typing: [['New authorization code', '\u0003']],
    });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  const colour = /\u001b\[[0-9;]*m/;
  expect((await ask([])).text).toMatch(colour);
  expect((await ask(['--no-color'])).text).not.toMatch(colour);
});
