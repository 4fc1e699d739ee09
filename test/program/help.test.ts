import { expect, test } from 'vitest';
import { STATUS, STATUS_MEANING } from '../../src/lib/core/errors.ts';
import type { CommandNode } from '../../src/lib/terminal/command.ts';
import { commandTree } from '../../src/registry.ts';
import { kt } from '../support/sandbox.ts';

/** Every place of the command tree, by its words. */
function places(node: CommandNode, words: string[] = []): [string, string[], CommandNode][] {
  const below = node.children.flatMap((child) => places(child, [...words, child.name]));
  return [[['ktadmin', ...words].join(' '), words, node], ...below];
}

const ALL = places(commandTree());

const texts = new Map<string, string>();

async function help(words: string[]): Promise<string> {
  const known = texts.get(words.join(' '));
  if (known !== undefined) return known;
  const { status, stdout, stderr } = await kt('ktadmin', [...words, '--help']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  texts.set(words.join(' '), stdout);
  return stdout;
}

/** Splits a line of an example as a shell would: words, in quotes or not. */
const split = (line: string) =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(
    ([word, single, double]) => single ?? double ?? word.replaceAll(/['"]/g, ''),
  );

test.each(ALL)('the help of %s has all that a newcomer needs', async (called, words, node) => {
  const text = await help(words);
  const command = (await node.load?.())?.default;
  expect(text.startsWith(`Usage: ${called}`)).toBe(true);
  expect(text.toLowerCase()).toContain(`${node.summary.toLowerCase()}.\n`);
  for (const child of node.children) expect(text).toMatch(new RegExp(`^ {2}${child.name} .*\\S`, 'm'));
  for (const spec of Object.values(command?.options ?? {})) {
    if (spec.isHidden) expect(text).not.toContain(`\n  ${spec.flags}  `);
    else expect(text).toContain(`\n  ${spec.flags}  `);
  }
  if (command !== undefined) expect(command.examples.length).toBeGreaterThan(0);
  for (const line of command?.examples ?? node.examples ?? []) expect(text).toContain(`\n  ${line}\n`);
  for (const name of Object.keys(STATUS) as (keyof typeof STATUS)[])
    expect(text).toMatch(new RegExp(`^ +${STATUS[name]} {2,}${STATUS_MEANING[name]}$`, 'm'));
  expect(text).toContain('128+n');
  expect(text).toContain(node.manual === 'keytrustee' ? 'KEYTRUSTEE_HOME' : 'KEYTRUSTEE_CONFDIR');
  expect(text).toMatch(/\nManual: man [a-z.-]+\n$/);
  for (const flag of ['--confdir <dir>', '--json', '--quiet', '--verbose', '--no-input', '--no-color'])
    expect(text).toContain(flag);
});

test.each(ALL)(
  'the help of %s is plain ASCII and fits into 80 columns, but for examples',
  async (_called, words) => {
    const text = await help(words);
    expect(text).toMatch(/^[\n\u0020-\u007e]*$/);
    const examples = text.slice(text.indexOf('\nExamples:'), text.indexOf('\nEnvironment:'));
    const long = text.split('\n').filter((line) => line.length > 80 && !examples.includes(line));
    expect(long.filter((line) => !line.startsWith('Usage:'))).toEqual([]);
  },
);

test('help before a command, or after its topic, is its --help', async () => {
  const expected = await help(['orgtool', 'add']);
  expect(expected).toContain('--contacts <emails>');
  for (const words of [
    ['help', 'orgtool', 'add'],
    ['orgtool', 'help', 'add'],
    ['orgtool', 'add', '-h'],
  ])
    expect((await kt('ktadmin', words)).stdout).toBe(expected);
  expect((await kt('ktadmin', ['help'])).stdout).toBe(await help([]));
  expect((await kt('keytrustee-orgtool', ['help', 'add'])).stdout).toBe(
    expected.replaceAll('ktadmin orgtool add', 'keytrustee-orgtool add'),
  );
});

test('required options stand in the usage line', async () => {
  expect(await help(['orgtool', 'add'])).toMatch(
    /^Usage: ktadmin orgtool add -n <name> -c <emails> \[options\]\n/,
  );
  expect(await help(['restore'])).toMatch(/^Usage: ktadmin restore \[options\] \[file\]\n/);
});

const EXAMPLES = await Promise.all(
  ALL.map(async ([, , node]) => (await node.load?.())?.default.examples ?? node.examples ?? []),
);

test.each([...new Set(EXAMPLES.flat())])('the example is accepted as it stands: %s', async (line) => {
  const [name = '', ...words] = split(line.replace(/^.*\| /, ''));
  expect(['ktadmin', 'keytrustee-orgtool', 'ktbackup', 'keytrustee']).toContain(name);
  const end = words.indexOf('--');
  const place = end === -1 ? words.length : end;
  const { status, stdout, stderr } = await kt(name, words.toSpliced(place, 0, '--help'));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^Usage: /);
});
