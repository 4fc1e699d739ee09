import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assemble } from '../../src/lib/terminal/assemble.ts';
import type { Command, Globals } from '../../src/lib/terminal/command.ts';
import { readWords } from '../../src/lib/terminal/words.ts';
import { commandTree } from '../../src/registry.ts';
import { kt, sharedServer } from '../support/sandbox.ts';

const server = sharedServer();

const SHOWS = (words: string) => `ktadmin: hint: ${words} --help shows how it is used\n`;
const REFUSED: [words: string[], stderr: string][] = [
  [['orgtol'], 'ktadmin: error: unknown command orgtol\nktadmin: hint: Did you mean orgtool?\n'],
  [['orgtol', '--help'], 'ktadmin: error: unknown command orgtol\nktadmin: hint: Did you mean orgtool?\n'],
  [['help', 'orgtol'], 'ktadmin: error: unknown command orgtol\nktadmin: hint: Did you mean orgtool?\n'],
  [['orgtool', 'ad'], 'ktadmin: error: unknown command ad\nktadmin: hint: Did you mean add?\n'],
  [['orgtool', 'help', 'ad'], 'ktadmin: error: unknown command ad\nktadmin: hint: Did you mean add?\n'],
  [['xyzzy'], 'ktadmin: error: unknown command xyzzy\nktadmin: hint: ktadmin --help lists the commands\n'],
  [
    ['orgtool', 'xyzzy'],
    'ktadmin: error: unknown command xyzzy\nktadmin: hint: ktadmin orgtool --help lists the commands\n',
  ],
  [
    ['orgtool', 'add', '--nmae', 'x', '-c', 'a@b'],
    'ktadmin: error: unknown option --nmae\nktadmin: hint: Did you mean --name?\n',
  ],
  [['--jsno'], 'ktadmin: error: unknown option --jsno\nktadmin: hint: Did you mean --json?\n'],
  [['-x', 'orgtool', 'list'], `ktadmin: error: unknown option -x\n${SHOWS('ktadmin')}`],
  [
    ['orgtool', 'list', 'prod'],
    `ktadmin: error: too many words after the command: 1, and it takes none\n${SHOWS('ktadmin orgtool list')}`,
  ],
  [
    ['restore', 'a', 'b'],
    `ktadmin: error: too many words after the command: 2, and it takes 1\n${SHOWS('ktadmin restore')}`,
  ],
  [['restore'], `ktadmin: error: missing <file>\n${SHOWS('ktadmin restore')}`],
  [
    ['orgtool', 'add', '-n', 'x'],
    `ktadmin: error: missing -c, --contacts <emails>\n${SHOWS('ktadmin orgtool add')}`,
  ],
  [
    ['orgtool', 'add', '-n'],
    `ktadmin: error: -n, --name <name> needs a value\n${SHOWS('ktadmin orgtool add')}`,
  ],
  [['orgtool', 'list', '--confdir='], 'ktadmin: error: --confdir: an empty path\n'],
  [
    ['backup', '--roll', '0', '--cleartext'],
    'ktadmin: error: --roll: "0" is not a whole number from 1 to 1000000\n',
  ],
];

test.each(REFUSED)('%j is a usage error', async (words, stderr) => {
  expect(await server.ktadmin(words)).toEqual({ status: 2, signal: null, stdout: '', stderr });
  const machine = await server.ktadmin(['--json', ...words]);
  expect(machine).toMatchObject({ status: 2, stderr: '' });
  const [message, hint = null] = stderr
    .trim()
    .split('\n')
    .map((line) => line.replace(/^ktadmin: \w+: /, ''));
  expect(JSON.parse(machine.stdout)).toEqual({ error: { code: 'usage', message, hint } });
});

test.each([[[]], [['orgtool']], [['db']], [['--confdir', '/nowhere']], [['--no-color', 'config', '-q']]])(
  '%j names no command: its help on stderr, and status 2',
  async (words) => {
    const { status, stdout, stderr } = await kt('ktadmin', words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    const topic = words.filter((word) => /^\w/.test(word));
    expect(stderr).toBe((await kt('ktadmin', [...topic, '--help'])).stdout);
    const machine = await kt('ktadmin', [...words, '--json']);
    expect(machine).toMatchObject({ status: 2, stderr: '' });
    expect(JSON.parse(machine.stdout)).toMatchObject({
      error: { code: 'usage', message: 'no command was given' },
    });
  },
);

test('the flag forms of the original do what the words do', async () => {
  const place = ['--pg-rootdir', server.pgRootdir];
  const status = async (words: string[]) =>
    JSON.parse((await kt('ktadmin', words)).stdout) as { running: boolean };
  const byWord = await status(['db', 'status', ...place, '--json']);
  expect(byWord.running).toBe(true);
  for (const words of [
    ['db', '--status', ...place, '--json'],
    ['db', ...place, '--status', '--json'],
    ['--json', 'db', ...place, '--status'],
    ['db', '--json', '--status', ...place],
  ])
    expect(await status(words)).toEqual(byWord);
});

test('words like --stop are a value or an argument where they stand as one', async () => {
  await server.orgtool(['add', '-n', 'db', '-c', 'a@example.com']);
  const set = await server.orgtool(['set-auth', '-n', 'db', '-s', '--stop']);
  expect(set.status).toBe(0);
  expect((await server.orgtool(['list', '-n', 'db'])).stdout).toContain('"auth_secret": "--stop"');
  await server.ktadmin(['db', '--confdir', server.confdir, 'psql', '--', '--stop']);
  expect((await server.ktadmin(['db', 'status'])).status).toBe(0);
});

test('options of every command count before, between and after the words', async () => {
  const env = { KEYTRUSTEE_CONFDIR: '/nowhere' };
  const confdir = ['--confdir', server.confdir];
  const expected = { status: 0, signal: null, stderr: '', stdout: (await server.orgtool(['list'])).stdout };
  for (const words of [
    ['-q', ...confdir, 'orgtool', 'list'],
    ['-q', 'orgtool', ...confdir, 'list'],
    ['orgtool', 'list', `--confdir=${server.confdir}`, '-q'],
    ['orgtool', '-qq', 'list', ...confdir],
    ['--confdir', '/nowhere/else', '-q', 'orgtool', 'list', ...confdir],
    ['-q', ...confdir, 'orgtool', '--', 'list'],
  ])
    expect(await kt('ktadmin', words, { env })).toEqual(expected);
});

/** What the parser makes of a command line, in this process. */
async function parsed(
  words: string[],
): Promise<{ values: Record<string, unknown>; globals: Globals; args: string[] }> {
  const root = commandTree();
  const found: { values: Record<string, unknown>; globals: Globals; args: string[] }[] = [];
  const keep = async (
    _command: Command,
    values: Record<string, unknown>,
    globals: Globals,
    args: string[],
  ) => {
    found.push({ values, globals, args });
  };
  const typed = readWords(root, words);
  await (await assemble(root, typed, keep)).parseAsync(typed.argv, { from: 'user' });
  expect(found).toHaveLength(1);
  return found[0] as (typeof found)[number];
}

const name = fc.stringMatching(/^[0-9A-Za-z_-]{1,30}$/);
const secret = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/\p{Cc}|\ufffd/u.test(text));
const forms = (short: string, long: string, value: string) =>
  fc.constantFrom(
    ...(value === '' ? [] : [[`${short}${value}`]]),
    [short, value],
    [long, value],
    [`${long}=${value}`],
  );

test('all GNU forms of an option mean the same, in every order', async () => {
  const line = fc.tuple(name, secret).chain(([organization, code]) =>
    fc.record({
      organization: fc.constant(organization),
      code: fc.constant(code),
      parts: fc
        .tuple(
          forms('-n', '--name', organization),
          forms('-s', '--secret', code),
          fc.constantFrom(['-q'], ['--quiet'], ['-qq']),
          fc.constantFrom(['--confdir', '/a b'], ['--confdir=/a b']),
        )
        .chain((parts) => fc.shuffledSubarray(parts, { minLength: 4, maxLength: 4 })),
      end: fc.constantFrom([], ['--']),
    }),
  );
  await fc.assert(
    fc.asyncProperty(line, async ({ organization, code, parts, end }) => {
      const { values, globals, args } = await parsed(['orgtool', 'set-auth', ...parts.flat(), ...end]);
      expect(values).toMatchObject({ name: organization, secret: code, generate: false });
      expect(globals).toMatchObject({ quiet: true, confdir: '/a b', confdirGiven: true, json: false });
      expect(args).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test('letters stand together, the last of them with its value', async () => {
  for (const words of [['-qn', 'prod'], ['-qnprod'], ['-q', '-nprod']])
    expect(await parsed(['orgtool', 'list', ...words])).toMatchObject({
      values: { name: 'prod' },
      globals: { quiet: true },
    });
});

test('- and what stands behind -- are words', async () => {
  expect(await parsed(['restore', '-'])).toMatchObject({ args: ['-'] });
  expect(await parsed(['restore', '--yes', '--', '--force'])).toMatchObject({
    args: ['--force'],
    values: { yes: true, force: false },
  });
});
