import { beforeAll, expect, test } from 'vitest';
import { addTestClient } from '../../support/database.ts';
import { sharedServer, withoutDrop } from '../../support/sandbox.ts';

const server = sharedServer();
const fingerprint = (digit: string) => digit.repeat(40);

interface Listed {
  fingerprint: string;
  state: string;
  created: string;
  activated: string | null;
  disabled: string | null;
}

async function client(of: string): Promise<Listed | undefined> {
  const { stdout } = await server.ktadmin(['orgtool', 'list-clients', '--json']);
  return (JSON.parse(stdout) as Listed[]).find((each) => each.fingerprint === of);
}

const change = (verb: string, of: string, ...rest: string[]) =>
  server.orgtool([verb, '--fingerprint', of, ...rest]);

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'a@example.com']);
  await server.orgtool(['add', '-n', 'test', '-c', 'a@example.com']);
});

test('enable-client approves a client that asks for it; again changes nothing', async () => {
  const of = fingerprint('A');
  await addTestClient(server, 'prod', of);
  const enabled = await change('enable-client', of);
  expect(enabled).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(enabled.stderr)).toBe(`client ${of} is now active\n`);
  const once = await client(of);
  expect(once).toMatchObject({ state: 'active', disabled: null });
  expect(once?.activated).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const again = await change('enable-client', of);
  expect(again).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(again.stderr)).toBe(`client ${of} is active already\n`);
  expect(await client(of)).toEqual(once);
});

test('disable-client stops a client, and enable-client starts it again as if it had never been stopped', async () => {
  const of = fingerprint('B');
  await addTestClient(server, 'prod', of, 'active');
  const disabled = await change('disable-client', of);
  expect(disabled).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(disabled.stderr)).toBe(`client ${of} is now disabled\n`);
  expect(await client(of)).toMatchObject({ state: 'disabled', disabled: expect.stringMatching(/Z$/) });
  expect(withoutDrop((await change('disable-client', of)).stderr)).toBe(`client ${of} is disabled already\n`);
  expect((await change('enable-client', of)).status).toBe(0);
  expect(await client(of)).toMatchObject({ state: 'active', disabled: null });
});

test('disable-client also stops a client that was never approved', async () => {
  const of = fingerprint('C');
  await addTestClient(server, 'prod', of);
  expect((await change('disable-client', of)).status).toBe(0);
  expect(await client(of)).toMatchObject({ state: 'disabled', activated: null });
});

test('activate-client approves a client that asks for it', async () => {
  const of = fingerprint('D');
  await addTestClient(server, 'prod', of);
  const activated = await change('activate-client', of, '-n', 'prod');
  expect(activated).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(activated.stderr)).toBe(`client ${of} is now active\n`);
  expect(await client(of)).toMatchObject({ state: 'active' });
});

test('activate-client leaves a stopped client stopped, and says what would start it', async () => {
  const of = fingerprint('E');
  await addTestClient(server, 'prod', of, 'disabled');
  const refused = await change('activate-client', of);
  expect(refused).toMatchObject({ status: 6, stdout: '' });
  expect(withoutDrop(refused.stderr)).toBe(
    `ktadmin: error: client ${of} is disabled, not pending\nktadmin: hint: ktadmin orgtool enable-client --fingerprint ${of}\n`,
  );
  expect(await client(of)).toMatchObject({ state: 'disabled' });
});

test('activate-client of another organization is refused', async () => {
  const of = fingerprint('F');
  await addTestClient(server, 'prod', of);
  const refused = await change('activate-client', of, '-n', 'test');
  expect(refused).toMatchObject({ status: 5, stdout: '' });
  expect(withoutDrop(refused.stderr)).toBe(
    `ktadmin: error: client ${of} does not belong to test\nktadmin: hint: ktadmin orgtool list-clients -n test\n`,
  );
  expect(await client(of)).toMatchObject({ state: 'pending' });
});

test.each([
  ['lower case', '1'.repeat(39).concat('a')],
  ['groups of four', `${'1111 '.repeat(9)}111a`],
  ['colons', `${'11:'.repeat(19)}1a`],
  ['the length before it, as fingerprints are printed', `4096R/${'1'.repeat(39)}A`],
])('a fingerprint may be given with %s', async (_what, typed) => {
  const of = `${'1'.repeat(39)}A`;
  if ((await client(of)) === undefined) await addTestClient(server, 'test', of);
  const changed = await change('disable-client', typed, '--json');
  expect(changed.status).toBe(0);
  expect(JSON.parse(changed.stdout)).toMatchObject({
    fingerprint: of,
    state: 'disabled',
    organization: 'test',
  });
});

test.each(['enable-client', 'disable-client', 'activate-client'])(
  '%s of an unknown or ill-formed fingerprint is refused',
  async (verb) => {
    const of = fingerprint('9');
    const unknown = await change(verb, of);
    expect(unknown).toMatchObject({ status: 5, stdout: '' });
    expect(withoutDrop(unknown.stderr)).toBe(
      `ktadmin: error: there is no client ${of}\nktadmin: hint: ktadmin orgtool list-clients shows those that exist\n`,
    );
    for (const wrong of ['', 'zz', '9'.repeat(39), '9'.repeat(41), "'; --", '４'.repeat(40)]) {
      expect(await change(verb, wrong)).toEqual({
        status: 2,
        signal: null,
        stdout: '',
        stderr: `ktadmin: error: --fingerprint: ${JSON.stringify(wrong)} is not a fingerprint\nktadmin: hint: a fingerprint has 40 hex digits; ktadmin orgtool list-clients shows them\n`,
      });
    }
  },
);

test('enabling and disabling one client at the same time leaves it in one state, with the times of that state', async () => {
  const of = fingerprint('7');
  await addTestClient(server, 'prod', of);
  const verbs = Array.from({ length: 10 }, (_, index) => (index % 2 ? 'enable-client' : 'disable-client'));
  const outcomes = await Promise.all(verbs.map((verb) => change(verb, of)));
  expect(outcomes.map(({ status }) => status)).toEqual(Array(10).fill(0));
  const last = await client(of);
  expect(last?.state === 'disabled').toBe(last?.disabled !== null);
});

test('list-clients shows a table for people, JSON for programs, and takes filters', async () => {
  const of = fingerprint('8');
  await server.orgtool(['add', '-n', 'listed', '-c', 'a@example.com']);
  const none = await server.ktadmin(['orgtool', 'list-clients', '-n', 'listed']);
  expect(none).toMatchObject({ status: 0, stdout: '' });
  expect(withoutDrop(none.stderr)).toBe('no clients\n');
  await addTestClient(server, 'listed', of);
  const table = await server.ktadmin(['orgtool', 'list-clients', '-n', 'listed']);
  const created = (await client(of))?.created ?? '';
  expect(table.stdout).toBe(
    `organization  fingerprint                               state    created                   name\n` +
      `listed        ${of}  pending  ${created}  host-8\n`,
  );
  const json = async (...filter: string[]) =>
    JSON.parse((await server.ktadmin(['orgtool', 'list-clients', '--json', ...filter])).stdout) as Listed[];
  expect(await json('-n', 'listed')).toEqual([await client(of)]);
  expect(await json('-n', 'listed', '--state', 'active')).toEqual([]);
  expect((await json('--state', 'pending')).map((each) => each.fingerprint)).toContain(of);
  const all = (await json()).map((each) => (each as Listed & { organization: string }).organization);
  expect(all).toEqual(all.toSorted());
});

test('list-clients of an unknown organization or state is refused', async () => {
  const unknown = await server.ktadmin(['orgtool', 'list-clients', '-n', 'nobody']);
  expect(unknown).toMatchObject({ status: 5, stdout: '' });
  expect(withoutDrop(unknown.stderr)).toBe(
    'ktadmin: error: there is no organization nobody\nktadmin: hint: ktadmin orgtool list shows those that exist\n',
  );
  expect(await server.ktadmin(['orgtool', 'list-clients', '--state', 'gone'])).toEqual({
    status: 2,
    signal: null,
    stdout: '',
    stderr: 'ktadmin: error: --state: "gone" is none of pending, active, disabled\n',
  });
});
