/** A place of the command tree that is a command and has commands below it, as `backup` is. */
import { expect, test } from 'vitest';
import { assemble, HelpWanted } from '../../../src/lib/terminal/assemble.ts';
import { bareCommand, type CommandNode, flag, option } from '../../../src/lib/terminal/command.ts';
import { topicHelp } from '../../../src/lib/terminal/topic.ts';
import { usageError } from '../../../src/lib/terminal/usage.ts';
import { readWords } from '../../../src/lib/terminal/words.ts';

const above = bareCommand({
  shortConfdir: true,
  options: { output: option('--output <dir>', 'where'), all: flag('--all', 'all of it') },
  examples: ['tool'],
  run: async () => 'above',
});
const below = bareCommand({
  shortConfdir: true,
  words: '<file>',
  options: { force: flag('--force', 'do it') },
  examples: ['tool verify x'],
  run: async () => 'below',
});
const tree: CommandNode = {
  name: 'tool',
  summary: 'write it',
  load: async () => ({ default: above }),
  children: [{ name: 'verify', summary: 'check it', load: async () => ({ default: below }), children: [] }],
};

/** Which of the two ran with what, the usage error with its hint, or the help screen. */
async function typed(...words: string[]) {
  const found: unknown[] = [];
  const line = readWords(tree, words);
  try {
    const parser = await assemble(tree, line, async (command, values, { confdir }, args) => {
      found.push(command === above ? 'above' : 'below', values, confdir, args);
    });
    await parser.parseAsync(line.argv, { from: 'user' });
    return found;
  } catch (error) {
    if (error instanceof HelpWanted) return error.screen;
    const { message, hint, code } = usageError(error, line.called) as Error & { hint: string; code: string };
    return [code, message, hint];
  }
}

test('the command goes on working, its options before and after its common ones', async () => {
  const values = { output: 'verify', all: true };
  expect(await typed('--output', 'verify', '--all', '-c', '/x')).toEqual(['above', values, '/x', []]);
  expect(await typed('-c', '/x', '--all', '--output=verify', '-q')).toEqual(['above', values, '/x', []]);
});

test('a command below it is found, also behind the options of every command', async () => {
  const expected = ['below', { force: true }, '/x', ['file']];
  expect(await typed('verify', 'file', '--force', '-c', '/x')).toEqual(expected);
  expect(await typed('-c', '/x', '-q', 'verify', '--force', 'file')).toEqual(expected);
});

test('a word that is no command of it is refused with a suggestion, and nothing runs', async () => {
  expect(await typed('verfy', 'file')).toEqual(['usage', 'unknown command verfy', 'Did you mean verify?']);
  const unknown = ['usage', 'unknown command xyzzy', 'tool --help lists the commands'];
  expect(await typed('xyzzy')).toEqual(unknown);
  expect(await typed('xyzzy', '--all')).toEqual(unknown);
  expect(await typed('xyzzy', '--help')).toEqual(unknown);
});

test('behind an option of the command a word is one too many, also one that names a command below', async () => {
  const refused = ['usage', 'too many words after the command: 2, and it takes none'];
  expect(await typed('--all', 'verify', 'file')).toEqual([...refused, 'tool --help shows how it is used']);
});

test('its help has its options and the commands below; theirs has theirs', async () => {
  expect(topicHelp(tree, ['--help'], 80), 'the short way knows no options').toBeUndefined();
  const screen = await typed('--help');
  expect(screen).toMatch(/^Usage: tool \[options\]\n {7}tool <command> \[options\]\n\nWrite it\.\n/);
  expect(screen).toContain('\nCommands:\n  verify  check it\n');
  expect(screen).toContain('  --output <dir>  where\n');
  expect(await typed('help')).toBe(screen);
  expect(await typed('verify', '--help')).toMatch(/^Usage: tool verify \[options\] <file>\n/);
  expect(await typed('help', 'verify')).toBe(await typed('verify', '--help'));
});
