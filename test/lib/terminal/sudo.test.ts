import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { sudoLine } from '../../../src/lib/terminal/sudo.ts';

const before = process.argv;
afterEach(() => {
  process.argv = before;
});

function lineOf(words: string[], account = 'keytrustee', program = '/usr/bin/ktadmin'): string {
  process.argv = ['node', program, ...words];
  return sudoLine(account);
}

test('the line repeats what was typed, quoted for a shell', () => {
  expect(lineOf(['orgtool', 'add', '-n', 'a b', '-c', "o'neill@x"])).toBe(
    `sudo -u keytrustee ktadmin orgtool add -n 'a b' -c 'o'\\''neill@x'`,
  );
  expect(lineOf(['list'], 'root', '/usr/bin/keytrustee-orgtool')).toBe('sudo keytrustee-orgtool list');
  expect(lineOf(['list'], 'root', '/srv/bin/ktadmin.js')).toBe('sudo ktadmin list');
});

test('no form of -s leaves its code in the line', () => {
  const code = fc.string({ minLength: 1, maxLength: 12 }).map((text) => `C4nary${text}`);
  const words = code.chain((text) =>
    fc.constantFrom(
      ['-s', text],
      [`-s${text}`],
      ['--secret', text],
      [`--secret=${text}`],
      [`-qs${text}`],
      ['-qqs', text],
    ),
  );
  fc.assert(
    fc.property(words, (typed) => {
      const line = lineOf(['orgtool', 'set-auth', '-n', 'prod', ...typed, '-q']);
      expect(line).not.toContain('C4nary');
      expect(line).toMatch(/^sudo -u keytrustee ktadmin orgtool set-auth -n prod .*CODE -q$/);
    }),
  );
});
