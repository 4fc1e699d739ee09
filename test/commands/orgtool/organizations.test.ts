/** What the original could not do: take contacts off, stop organizations, remove them. */
import { expect, test } from 'vitest';
import { addTestClient } from '../../support/database.ts';
import { sharedServer, withoutDrop } from '../../support/sandbox.ts';
import { hasTerminal, ktadminOnTerminal } from '../../support/terminal.ts';

const server = sharedServer();
const UNKNOWN =
  'ktadmin: error: there is no organization nobody\nktadmin: hint: ktadmin orgtool list shows those that exist\n';

interface Listed {
  contacts: string[];
  state: number;
}

async function organization(name: string): Promise<Listed | undefined> {
  return (JSON.parse((await server.orgtool(['list'])).stdout) as Record<string, Listed>)[name];
}

const log = (text: string) =>
  new RegExp(
    String.raw`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - keytrustee\.server\.orgtool - INFO - ${text}\n$`,
  );

test('remove-contact takes one contact off, and only there', async () => {
  for (const name of ['first', 'second'])
    await server.orgtool(['add', '-n', name, '-c', 'a@example.com,b@example.com']);
  const removed = await server.ktadmin(['orgtool', 'remove-contact', '-n', 'first', '-c', 'a@example.com']);
  expect(removed).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(removed.stderr)).toMatch(log('Removed contact a@example.com from first'));
  expect((await organization('first'))?.contacts).toEqual(['b@example.com']);
  expect((await organization('second'))?.contacts).toEqual(['a@example.com', 'b@example.com']);
  const again = await server.ktadmin(['orgtool', 'remove-contact', '-n', 'first', '-c', 'a@example.com']);
  expect(again).toMatchObject({ status: 5, stdout: '' });
  expect(withoutDrop(again.stderr)).toBe(
    'ktadmin: error: a@example.com is not a contact of first\nktadmin: hint: ktadmin orgtool list -n first\n',
  );
});

test.each([
  ['disable', 'disabled', 1],
  ['enable', 'enabled', 0],
] as const)('%s an organization, again without effect', async (verb, state, number) => {
  const name = `to-${verb}`;
  await server.orgtool(['add', '-n', name, '-c', 'a@example.com']);
  if (verb === 'enable') await server.ktadmin(['orgtool', 'disable', '-n', name]);
  const done = await server.ktadmin(['orgtool', verb, '-n', name]);
  expect(done).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(done.stderr)).toMatch(log(`Organization ${name} is now ${state}`));
  expect((await organization(name))?.state).toBe(number);
  const again = await server.ktadmin(['orgtool', verb, '-n', name]);
  expect(withoutDrop(again.stderr)).toMatch(log(`Organization ${name} is ${state} already`));
  const machine = await server.ktadmin(['orgtool', verb, '-n', name, '--json']);
  expect(JSON.parse(machine.stdout)).toEqual({ name, state, changed: false });
});

test.each([
  ['remove-contact', ['-c', 'a@example.com']],
  ['disable', []],
  ['enable', []],
  ['remove', ['--yes']],
  ['remove', []],
])('%s of an unknown organization is refused', async (verb, rest) => {
  const refused = await server.ktadmin(['orgtool', verb, '-n', 'nobody', ...rest]);
  expect(refused).toMatchObject({ status: 5, stdout: '' });
  expect(withoutDrop(refused.stderr)).toBe(UNKNOWN);
});

test('remove --yes removes an organization and its contacts, and nothing else', async () => {
  await server.orgtool(['add', '-n', 'gone', '-c', 'a@example.com']);
  await server.orgtool(['add', '-n', 'stays', '-c', 'a@example.com']);
  const removed = await server.ktadmin(['orgtool', 'remove', '-n', 'gone', '--yes']);
  expect(removed).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(removed.stderr)).toMatch(log('Removed organization gone'));
  expect(await organization('gone')).toBeUndefined();
  expect((await organization('stays'))?.contacts).toEqual(['a@example.com']);
});

test('remove of an organization with clients is refused: their keys would be lost', async () => {
  await server.orgtool(['add', '-n', 'used', '-c', 'a@example.com']);
  await addTestClient(server, 'used', 'A'.repeat(40), 'disabled');
  const refused = await server.ktadmin(['orgtool', 'remove', '-n', 'used', '--yes']);
  expect(refused).toMatchObject({ status: 6, stdout: '' });
  expect(withoutDrop(refused.stderr)).toBe(
    'ktadmin: error: used has 1 client with 0 deposits\nktadmin: hint: ktadmin orgtool disable -n used stops it and keeps the keys\n',
  );
  expect(await organization('used')).toBeDefined();
});

test('without a terminal, remove wants --yes and changes nothing', async () => {
  await server.orgtool(['add', '-n', 'asked', '-c', 'a@example.com']);
  const refused = await server.ktadmin(['orgtool', 'remove', '-n', 'asked']);
  expect(refused).toMatchObject({ status: 2, stdout: '' });
  expect(withoutDrop(refused.stderr)).toBe(
    'ktadmin: error: this asks before it changes anything, and there is no terminal to ask on\nktadmin: hint: to go on without being asked, add --yes\n',
  );
  expect(await organization('asked')).toBeDefined();
});

test.skipIf(!hasTerminal)('on a terminal, remove wants the name typed', async () => {
  await server.orgtool(['add', '-n', 'typed', '-c', 'a@example.com']);
  const remove = (answer: string) =>
    ktadminOnTerminal(server, ['orgtool', 'remove', '-n', 'typed', '--no-color'], {
      typing: [['Type typed to go on:', answer]],
    });
  const wrong = await remove('yes\r');
  expect(wrong.status).toBe(1);
  expect(wrong.text).toContain('ktadmin: error: not removed');
  expect((await remove('\u0003')).status).toBe(130);
  expect(await organization('typed')).toBeDefined();
  const right = await remove('typed\r');
  expect(right.status).toBe(0);
  expect(await organization('typed')).toBeUndefined();
});
