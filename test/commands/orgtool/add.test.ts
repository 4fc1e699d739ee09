import { expect, test } from 'vitest';
import { isRoot, sharedServer, withoutDrop, world } from '../../support/sandbox.ts';

const server = sharedServer();
const add = (name: string, contacts: string, env: Record<string, string> = {}) =>
  server.orgtool(['add', '-n', name, '-c', contacts], { env });

interface Listed {
  auth_secret: string;
  contacts: string[];
  creation: string;
  uuid: string;
}

async function listed(name: string): Promise<Listed> {
  const { stdout } = await server.orgtool(['list', '-n', name]);
  return (JSON.parse(stdout) as Record<string, Listed>)[name] as Listed;
}

const names = async () => Object.keys(JSON.parse((await server.orgtool(['list'])).stdout) as object);

test('add says on stderr what the original says, line by line, and nothing on stdout', async () => {
  const added = await add('log-form', 'root@localhost');
  expect(added.status).toBe(0);
  expect(added.stdout).toBe('');
  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`;
  const line = (text: string) => `${time} - keytrustee\\.server\\.orgtool - INFO - ${text}\n`;
  const drop = isRoot ? `Dropped privileges to ${world.account.name}\n` : '';
  expect(added.stderr).toMatch(
    new RegExp(`^${drop}${line('Adding organization to database')}${line('Initializing random secret')}$`),
  );
});

test.each([
  'UTC',
  'America/Los_Angeles',
  'America/New_York',
  'Europe/Berlin',
  'Asia/Kolkata',
  'Pacific/Kiritimati',
])('creation is the local time of the log line of the same add in %s', async (TZ) => {
  const name = `tz-${TZ.replace('/', '-')}`;
  const added = await add(name, 'finn@example.com', { TZ });
  const time = /(\S+) (\S+),\d{3} - \S+ - INFO - Adding organization/.exec(added.stderr);
  const { stdout } = await server.orgtool(['list', '-n', name], { env: { TZ } });
  expect(stdout).toContain(`"creation": "${time?.[1]}T${time?.[2]}"`);
});

test('add makes a secret of 16 random bytes and an identifier of 43 characters, and no two alike', async () => {
  await add('one', 'finn@example.com');
  await add('two', 'finn@example.com');
  const [one, two] = [await listed('one'), await listed('two')];
  for (const { auth_secret, uuid } of [one, two]) {
    expect(auth_secret).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    expect(Buffer.from(auth_secret, 'base64')).toHaveLength(16);
    expect(uuid).toMatch(/^[0-9A-Za-z]{43}$/);
  }
  expect(one.auth_secret).not.toBe(two.auth_secret);
  expect(one.uuid).not.toBe(two.uuid);
});

test('add keeps contacts in the order given and names each once', async () => {
  await add('ordered', 'zoe@example.com,adam@example.com,zoe@example.com,mia@localhost');
  await add('ordered', 'bea@example.com,adam@example.com');
  expect((await listed('ordered')).contacts).toEqual([
    'zoe@example.com',
    'adam@example.com',
    'mia@localhost',
    'bea@example.com',
  ]);
});

test('add again exits 0, changes nothing and says so', async () => {
  await add('twice', 'finn@example.com,jake@example.com');
  const before = await server.orgtool(['list', '-n', 'twice']);
  const again = await add('twice', 'finn@example.com,jake@example.com');
  expect(again.status).toBe(0);
  expect(again.stdout).toBe('');
  expect(withoutDrop(again.stderr)).toMatch(/ - INFO - Organization exists, new contacts: none\n$/);
  expect((await server.orgtool(['list', '-n', 'twice'])).stdout).toBe(before.stdout);
});

test('twenty adds of one organization at the same time make one, and all of them succeed', async () => {
  const runs = Array.from({ length: 20 }, (_, index) =>
    add('busy', `a@example.com,m${index % 5}@example.com`),
  );
  const outcomes = await Promise.all(runs);
  expect(outcomes.map(({ status }) => status)).toEqual(Array(20).fill(0));
  const made = outcomes.filter(({ stderr }) => stderr.includes('Adding organization to database'));
  expect(made).toHaveLength(1);
  const { contacts } = await listed('busy');
  expect(contacts.toSorted()).toEqual(
    ['a', 'm0', 'm1', 'm2', 'm3', 'm4'].map((name) => `${name}@example.com`),
  );
  expect((await names()).filter((name) => name === 'busy')).toHaveLength(1);
});

test('add --json tells what was done', async () => {
  const first = await server.orgtool(['add', '-n', 'json', '-c', 'a@example.com', '--json']);
  expect(JSON.parse(first.stdout)).toEqual({ name: 'json', created: true, addedContacts: ['a@example.com'] });
  const second = await server.orgtool(['add', '-n', 'json', '-c', 'a@example.com,b@example.com', '--json']);
  expect(JSON.parse(second.stdout)).toEqual({
    name: 'json',
    created: false,
    addedContacts: ['b@example.com'],
  });
});

const NAME_HINT = 'ktadmin: hint: use letters, digits, hyphens and underscores\n';
const long = 'x'.repeat(300);

test.each([
  ['a space', 'disaster recov', '"disaster recov"'],
  ['a slash', 'disaster/recov', '"disaster/recov"'],
  ['a single quote', "o'neill", '"o\'neill"'],
  ['a double quote', 'o"neill', String.raw`"o\"neill"`],
  ['SQL', "x'); drop table organization; --", `"x'); drop table organization; --"`],
  ['a newline', 'one\ntwo', String.raw`"one\ntwo"`],
  ['a letter that is not ASCII', 'Zürich', '"Zürich"'],
  ['an escape sequence', '\u001b[31mred', String.raw`"\u001b[31mred"`],
  ['an escape sequence of one byte', '\u009b31mred', String.raw`"\u009b31mred"`],
  ['nothing', '', '""'],
])('a name with %s is refused', async (_what, name, shown) => {
  expect(await add(name, 'finn@example.com')).toEqual({
    status: 2,
    signal: null,
    stdout: '',
    stderr: `ktadmin: error: -n: ${shown} is not an organization's name\n${NAME_HINT}`,
  });
});

test('a name of 300 characters is refused, and 128 are taken', async () => {
  const refused = await add(long, 'finn@example.com');
  expect(refused.stderr).toBe(
    `ktadmin: error: -n: "${'x'.repeat(60)}..." is 300 characters long; an organization's name has at most 128\n`,
  );
  expect(refused.status).toBe(2);
  expect((await add('y'.repeat(128), 'finn@example.com')).status).toBe(0);
  expect(await names()).toContain('y'.repeat(128));
});

test.each([
  ['a space', 'finn@example.com, jake@example.com', ' jake@example.com'],
  ['no @', 'finn', 'finn'],
  ['nothing', '', ''],
  ['a comma at the end', 'finn@example.com,', ''],
  ['two @', 'a@b@c', 'a@b@c'],
  ['a newline', 'finn@example.com\nBcc: x@y', 'finn@example.com\nBcc: x@y'],
  ['SQL', "a@b'; delete from contact; --", "a@b'; delete from contact; --"],
])('contacts with %s are refused, and no organization is made', async (what, contacts, wrong) => {
  const name = `refused-${what.length}`;
  expect(await add(name, contacts)).toEqual({
    status: 2,
    signal: null,
    stdout: '',
    stderr: `ktadmin: error: -c: ${JSON.stringify(wrong)} is not a mail address\nktadmin: hint: give addresses like finn@example.com, separated by commas without spaces\n`,
  });
  expect(await names()).not.toContain(name);
});

test('what is missing is named, all at once', async () => {
  expect(await server.orgtool(['add'])).toEqual({
    status: 2,
    signal: null,
    stdout: '',
    stderr:
      'ktadmin: error: missing -n, --name <name> and -c, --contacts <emails>\n' +
      'ktadmin: hint: keytrustee-orgtool add --help shows how it is used\n',
  });
});

test('mail addresses that PostgreSQL or a shell could misread are stored as they are', async () => {
  const contacts = ["o'neill@example.com", '$(id)@example.com', '{a}@example.com', 'a%s@example.com'];
  const valid = contacts.filter((each) => !each.includes('('));
  expect((await add('odd', valid.join(','))).status).toBe(0);
  expect((await listed('odd')).contacts).toEqual(valid);
});
