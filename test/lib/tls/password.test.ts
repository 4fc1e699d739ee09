import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { splitWords } from '../../../src/lib/core/words.ts';
import { passwordOf, passwordWarning } from '../../../src/lib/tls/password.ts';
import { allEnded } from '../../support/processes.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

test.each([
  ['/bin/echo -n x', ['/bin/echo', '-n', 'x']],
  [`  a 'b c' "d e"f \\ g `, ['a', 'b c', 'd ef', ' g']],
  [`a "b \\"c\\" $HOME \\n" '\\'`, ['a', 'b "c" $HOME \\n', '\\']],
  ["a '' *", ['a', '', '*']],
])('the line %j has the words %j', (line, words) => {
  expect(splitWords(line)).toEqual(words);
});

async function script(text: string): Promise<string> {
  const path = join(await temporaryDirectory(), 'password');
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

test('the password is what the command prints, without the end of the line', async () => {
  expect(await passwordOf("/bin/echo -n 'two  words'")).toBe('two  words');
  expect(await passwordOf('/bin/echo pass')).toBe('pass');
  expect(await passwordOf(await script(`printf ' a b \\r\\n'`))).toBe(' a b ');
  expect(await passwordOf(await script('echo "$0"; exit 0'))).toMatch(/password$/);
});

test.each([
  ['echo secret >&2; exit 3', 'failed (exit status 3)'],
  ['kill -9 $$', 'failed (signal SIGKILL)'],
  ['exit 0', 'printed nothing'],
  ['echo', 'printed nothing'],
  ['echo secret; echo secret', 'printed more than one line'],
  ['head -c 2000 /dev/zero | tr "\\0" x', 'printed more than one line'],
])('a script that does %j is refused, and nothing of it told', async (text, what) => {
  const failed = await passwordOf(await script(text)).catch((error: unknown) => error);
  expect(failed).toMatchObject({ message: `SSL_PRIVATE_KEY_PASSWORD_SCRIPT ${what}` });
  expect(JSON.stringify(failed)).not.toContain('secret');
});

test('a line that is no command is refused without a word of it', async () => {
  for (const [line, what] of [
    ["cat 'secret", 'has a quote that is not closed'],
    ['/nowhere/secret', 'names a program that cannot be run'],
    [' ', 'is empty'],
  ] as const)
    await expect(passwordOf(line)).rejects.toThrow(`SSL_PRIVATE_KEY_PASSWORD_SCRIPT ${what}`);
});

test('a script that hangs, and what it has started, is not waited for', async () => {
  const path = await script(`cd "$(dirname "$0")"; sleep 60 & sleep 61`);
  await expect(passwordOf(path, undefined, 300)).rejects.toThrow(
    'SSL_PRIVATE_KEY_PASSWORD_SCRIPT did not end in time',
  );
  await allEnded(join(path, '..'));
});

test.each([
  ['without end', 'exec cat /dev/zero'],
  ['without end on standard error', 'exec cat /dev/zero >&2'],
  ['4097 bytes, and then hangs', "head -c 4097 /dev/zero; trap '' PIPE TERM; sleep 61"],
])('a script that prints %s is ended with what it has started, and refused', async (_, text) => {
  const path = await script(`cd "$(dirname "$0")"; sleep 60 & ${text}`);
  await expect(passwordOf(path, undefined, 60_000)).rejects.toThrow(
    'SSL_PRIVATE_KEY_PASSWORD_SCRIPT printed more than 4 KiB',
  );
  await allEnded(join(path, '..'));
});

test('a password in the command itself is warned of', () => {
  expect(passwordWarning('/bin/echo -n secret')[0]).toContain('holds the password itself');
  expect(passwordWarning('/bin/echo -n secret')[0]).not.toContain('secret');
  expect(passwordWarning('/bin/cat /etc/keytrustee.password')).toEqual([]);
  expect(passwordWarning(undefined)).toEqual([]);
});
