/** One organization or one deposit comes back, and nothing else is rolled back (hazard PG-21). */
import { chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  aClient,
  aDeposit,
  contentOf,
  databases,
  dumpLines,
  fingerprint,
  uuid,
  withoutOrganization,
} from '../support/deposits.ts';
import { someOf } from '../support/long.ts';
import { refusal, said } from '../support/refusal.ts';
import {
  isRoot,
  type RunOptions,
  sharedServer,
  type TestServer,
  testServer,
  world,
} from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';
import { hasTerminal, ktadminOnTerminal } from '../support/terminal.ts';

const A = fingerprint('A');
const D = fingerprint('D');

/** Two organizations with clients of every state, deposits of every kind, and a set of it. */
async function fill(server: TestServer): Promise<string> {
  await server.orgtool(['add', '-n', 'prod', '-c', 'finn@example.com,mo@example.com']);
  await server.orgtool(['add', '-n', 'other', '-c', 'root@localhost']);
  await server.orgtool(['set-auth', '-n', 'prod', '-s', 'the code']);
  await server.query(
    [
      aClient('prod', 'A'),
      aClient('prod', 'B', 'disabled'),
      aClient('prod', 'C', 'pending'),
      aClient('other', 'D'),
      aDeposit('A', 'first', 'disk/1'),
      aDeposit('A', 'second', null),
      aDeposit('A', 'gone', 'disk/2'),
      aDeposit('B', 'umlaut', 'Schlüssel 鍵 🔑 "\\'),
      aDeposit('D', 'foreign', 'disk/1'),
      `update deposit set deleted_at = now() where uuid = '${uuid('gone')}';`,
      "update contact set public_key = 'a contact''s key' where email = 'finn@example.com';",
      `insert into contact_invitation (contact_id, token_hash, expires_at)
         select id, sha256('token'), now() + interval '1 day' from contact where email = 'mo@example.com';`,
    ].join('\n'),
  );
  return backup(server);
}

async function place(): Promise<{ server: TestServer; set: string }> {
  const server = await testServer();
  return { server, set: await fill(server) };
}

const restore = (server: TestServer, set: string, only: string[], options: RunOptions = {}) =>
  server.ktadmin(
    ['restore', set, ...only.flatMap((each) => (each.startsWith('--') ? [each] : ['--only', each]))],
    options,
  );

const plan = (counts: [number, number][], ...notes: string[]) =>
  new RegExp(
    [
      '^set of [^ ]+, 4096R/[0-9A-F]{40}, made [^ ]+Z',
      ...['organizations ', 'contacts      ', 'clients       ', 'deposits      '].map(
        (name, index) => `  ${name} ${counts[index]?.[0]} to add, ${counts[index]?.[1]} there already`,
      ),
      ...notes.map((note) => `  ${note}`),
      '$',
    ].join('\n'),
  );

/** Each line of `fewer` stands in `more`, in its order; returns the lines that `more` has besides. */
function added(fewer: string[], more: string[]): string[] {
  let next = 0;
  const besides = more.filter((line) => {
    if (line === fewer[next]) next += 1;
    else return true;
    return false;
  });
  expect(fewer.slice(next)).toEqual([]);
  return besides;
}

test('an organization that was removed comes back with all that was its, and not a byte of the rest changes', async () => {
  const { server, set } = await place();
  const whole = await contentOf(server);
  await server.query(withoutOrganization('prod'));
  await server.orgtool(['add', '-n', 'later', '-c', 'root@localhost']);
  await server.query(
    `${aDeposit('D', 'later', 'disk/9')} update client set state = 'disabled' where fingerprint = '${D}';`,
  );
  const before = await dumpLines(server);
  const rest = await contentOf(server);
  const restored = said(await restore(server, set, ['organization=prod', '--yes']));
  expect(restored).toMatchObject({
    status: 0,
    stdout: 'Added 1 organization, 2 contacts, 3 clients, 4 deposits\n',
  });
  expect(restored.stderr).toMatch(
    plan(
      [
        [1, 0],
        [2, 0],
        [3, 0],
        [4, 0],
      ],
      'prod comes back with the code and the state it had',
    ),
  );
  expect(added(before, await dumpLines(server))).toHaveLength(1 + 2 + 3 + 4);
  const now = await contentOf(server);
  const ofProd = (lines: string[] = []) =>
    lines.filter((line) => !/root@localhost|"other"|"later"|D{40}/.test(line));
  for (const table of ['organizations', 'contacts', 'clients', 'deposits']) {
    expect(ofProd(now[table])).toEqual(ofProd(whole[table]));
    expect(now[table]?.filter((line) => !ofProd(whole[table]).includes(line))).toEqual(rest[table]);
  }
  expect(now.invitations).toEqual([]);
  expect(await databases(server)).toBe('keytrustee postgres');
});

test('of an organization that is there only what is missing is added; codes, states and removed rights stay', async () => {
  const { server, set } = await place();
  const whole = await contentOf(server);
  await server.orgtool(['set-auth', '-n', 'prod', '-s', 'a new code']);
  await server.orgtool(['disable', '-n', 'prod']);
  await server.orgtool(['disable-client', '--fingerprint', A]);
  const before = await contentOf(server);
  const dump = await dumpLines(server);
  await server.query(`
    delete from contact where email = 'finn@example.com';
    delete from deposit where uuid in ('${uuid('first')}', '${uuid('umlaut')}');
    delete from client where fingerprint = '${fingerprint('B')}';`);
  const restored = said(await restore(server, set, ['organization=prod', '--yes']));
  expect(restored).toMatchObject({
    status: 0,
    stdout: 'Added 0 organizations, 1 contact, 1 client, 2 deposits\n',
  });
  expect(restored.stderr).toMatch(
    plan([
      [0, 1],
      [1, 1],
      [1, 2],
      [2, 2],
    ]),
  );
  expect(await contentOf(server)).toEqual(before);
  expect((await dumpLines(server)).length).toBe(dump.length);
  expect(before.clients).not.toEqual(whole.clients);
  const again = said(await restore(server, set, ['organization=prod', '--yes']));
  expect(again).toMatchObject({ status: 0, stdout: 'Nothing to add: all of it is there already\n' });
});

test('single deposits come back, whatever their handles are written in, and nothing else', async () => {
  const { server, set } = await place();
  const before = await contentOf(server);
  const dump = await dumpLines(server);
  await server.query(
    `delete from deposit where uuid in ('${uuid('second')}', '${uuid('umlaut')}', '${uuid('foreign')}')`,
  );
  const rest = await dumpLines(server);
  const wanted = [`deposit=${uuid('second')}`, `deposit=${uuid('umlaut')}`, `deposit=${uuid('umlaut')}`];
  const restored = said(await restore(server, set, [...wanted, '--yes']));
  expect(restored).toMatchObject({
    status: 0,
    stdout: 'Added 0 organizations, 0 contacts, 0 clients, 2 deposits\n',
  });
  expect(restored.stderr).toMatch(
    plan([
      [0, 1],
      [0, 0],
      [0, 2],
      [2, 0],
    ]),
  );
  expect(added(rest, await dumpLines(server))).toHaveLength(2);
  expect(dump).toHaveLength(rest.length + 3);
  expect((await contentOf(server)).deposits).toEqual(
    before.deposits?.filter((line) => !line.includes(uuid('foreign'))),
  );
});

test('a deposit whose client was removed comes back with the client disabled, and its organization too', async () => {
  const { server, set } = await place();
  const before = await contentOf(server);
  await server.query(withoutOrganization('prod'));
  const restored = said(await restore(server, set, [`deposit=${uuid('first')}`, '--yes']));
  expect(restored).toMatchObject({
    status: 0,
    stdout: [
      'Added 1 organization, 0 contacts, 1 client, 1 deposit',
      'To let in what came back disabled:',
      '  ktadmin orgtool enable -n prod',
      `  ktadmin orgtool enable-client --fingerprint ${A}`,
      '',
    ].join('\n'),
  });
  expect(restored.stderr).toMatch(
    plan(
      [
        [1, 0],
        [0, 0],
        [1, 0],
        [1, 0],
      ],
      "organization prod comes back disabled, for its deposit's sake",
      `client ${A} comes back disabled, for its deposit's sake`,
    ),
  );
  const state = `select c.state || ' ' || (disabled_at > activated_at) || ' ' || o.state || ' ' || auth_secret
    from client c join organization o on o.id = organization_id where fingerprint = '${A}'`;
  expect(await server.query(state)).toBe('disabled true 1 the code');
  // Asked for by name afterwards, the rest of it comes back; what is there keeps its state.
  const rest = await restore(server, set, ['organization=prod', '--yes']);
  expect(rest.stdout).toBe('Added 0 organizations, 2 contacts, 2 clients, 3 deposits\n');
  expect(await server.query(state)).toBe('disabled true 1 the code');
  await server.orgtool(['enable', '-n', 'prod']);
  expect((await contentOf(server)).deposits).toEqual(before.deposits);
});

test('a deposit that was deleted stays so with its organization, and comes back by its uuid', async () => {
  const { server, set } = await place();
  const before = await contentOf(server);
  await server.query(`update deposit set deleted_at = now() where uuid = '${uuid('first')}'`);
  const kept = said(await restore(server, set, ['organization=prod', '--yes']));
  expect(kept).toMatchObject({ status: 0, stdout: 'Nothing to add: all of it is there already\n' });
  expect(kept.stderr).toMatch(
    plan(
      [
        [0, 1],
        [0, 2],
        [0, 3],
        [0, 3],
      ],
      'deleted since, and to stay so: 1 deposit',
    ),
  );
  const back = said(await restore(server, set, [`deposit=${uuid('first')}`, '--yes']));
  expect(back).toMatchObject({
    status: 0,
    stdout: 'Added 0 organizations, 0 contacts, 0 clients, 0 deposits; undeleted 1 deposit\n',
  });
  expect(back.stderr).toMatch(
    plan(
      [
        [0, 1],
        [0, 0],
        [0, 1],
        [0, 0],
      ],
      'undeleted, as named by uuid: 1 deposit',
    ),
  );
  expect(await contentOf(server)).toEqual(before);
  // One that was deleted when the set was made, too.
  await server.query(`delete from deposit where uuid = '${uuid('gone')}'`);
  await restore(server, set, [`deposit=${uuid('gone')}`, '--yes']);
  expect(await server.query(`select deleted_at is null from deposit where uuid = '${uuid('gone')}'`)).toBe(
    't',
  );
});

describe('what is there now is never overwritten: status 6, and nothing changes', () => {
  const HINT =
    'what is there now is never overwritten; --only deposit=UUID brings back single deposits that do not collide';
  const cases: [string, string, string, string][] = [
    [
      'an organization made anew under its name',
      `${withoutOrganization('prod')} insert into organization (uuid, name, auth_secret) values ('${uuid('new')}', 'prod', 's');`,
      'organization=prod',
      'organization prod is another one now: it has another uuid than in the set',
    ],
    [
      'an organization under another name',
      "update organization set name = 'production' where name = 'prod';",
      'organization=prod',
      'organization prod is called production now',
    ],
    [
      'a client that went to another organization',
      `update client set organization_id = (select id from organization where name = 'other') where fingerprint = '${A}';`,
      'organization=prod',
      `client ${A} belongs to organization other now`,
    ],
    [
      'a deposit with other content',
      `update deposit set content = 'x', sha256 = sha256('x') where uuid = '${uuid('second')}';`,
      `deposit=${uuid('second')}`,
      `deposit ${uuid('second')} has other content now`,
    ],
    [
      'a deposit whose content was damaged',
      `update deposit set content = 'x' where uuid = '${uuid('second')}';`,
      'organization=prod',
      `deposit ${uuid('second')} has other content now`,
    ],
    [
      'a deposit of another client',
      `update deposit set client_id = (select id from client where fingerprint = '${D}') where uuid = '${uuid('second')}';`,
      `deposit=${uuid('second')}`,
      `deposit ${uuid('second')} belongs to client ${D} now`,
    ],
    [
      'a handle that was given again',
      `delete from deposit where uuid = '${uuid('umlaut')}'; ${aDeposit('B', 'taker', 'Schlüssel 鍵 🔑 "\\')}`,
      'organization=prod',
      `the handle "Schlüssel 鍵 🔑 \\"\\\\" of deposit ${uuid('umlaut')} is taken by deposit ${uuid('taker')} now`,
    ],
    [
      'the handle of a deleted deposit that was given again',
      `update deposit set deleted_at = now() where uuid = '${uuid('first')}'; ${aDeposit('A', 'taker', 'disk/1')}`,
      `deposit=${uuid('first')}`,
      `the handle "disk/1" of deposit ${uuid('first')} is taken by deposit ${uuid('taker')} now`,
    ],
  ];
  const server = sharedServer();
  let set = '';
  const onCluster = (...statements: string[]) =>
    server.ktadmin([
      'db',
      'psql',
      '--',
      '-X',
      '-d',
      'postgres',
      ...statements.flatMap((each) => ['-c', each]),
    ]);
  beforeAll(async () => {
    set = await fill(server);
    await onCluster('create database pristine template keytrustee');
  });
  test.each(someOf(cases))('%s', async (_, change, only, message) => {
    await onCluster('drop database keytrustee', 'create database keytrustee template pristine');
    await server.query(change);
    const before = await dumpLines(server);
    const refused = said(await restore(server, set, [only, '--yes']));
    expect(refused).toEqual(refusal(6, `nothing was changed: ${message}`, HINT));
    expect(await dumpLines(server)).toEqual(before);
    expect(await databases(server)).toBe('keytrustee postgres pristine');
  });
});

test('two deposits that had one handle after another cannot both come back', async () => {
  const { server } = await place();
  await server.query(aDeposit('A', 'heir', 'disk/2'));
  const set = await backup(server);
  const refused = await restore(server, set, [`deposit=${uuid('gone')}`, `deposit=${uuid('heir')}`, '--yes']);
  expect(refused.status).toBe(6);
  // The one is there, so that the other would take its handle.
  expect(refused.stderr).toContain(
    `the handle "disk/2" of deposit ${uuid('gone')} is taken by deposit ${uuid('heir')} now`,
  );
  await server.query(`delete from deposit where handle = 'disk/2'`);
  const both = await restore(server, set, [`deposit=${uuid('gone')}`, `deposit=${uuid('heir')}`, '--yes']);
  expect(both.status).toBe(6);
  expect(both.stderr).toContain(
    `deposits ${uuid('gone')} and ${uuid('heir')} have the same handle "disk/2": only one of them can come back`,
  );
});

test('what the set does not have is told: status 5, with the organizations that it has', async () => {
  const { server, set } = await place();
  expect(said(await restore(server, set, ['organization=prodd', 'organization=prod', '--yes']))).toEqual(
    refusal(5, 'the set has no organization prodd', 'it has other, prod'),
  );
  expect(said(await restore(server, set, [`deposit=${uuid('never')}`, '--yes']))).toEqual(
    refusal(5, `the set has no deposit ${uuid('never')}`, 'use an older or a newer set'),
  );
  expect(await databases(server)).toBe('keytrustee postgres');
});

test.each([
  [['--only', 'prod'], '--only: "prod" says not what', 'give organization=NAME or deposit=UUID'],
  [['--only', 'client=x'], '--only: "client=x" says not what', 'give organization=NAME or deposit=UUID'],
  [
    ['--only', 'deposit=short'],
    '--only: "short" is not the uuid of a deposit',
    'a uuid has 43 letters and digits',
  ],
  [
    ['--only', 'organization='],
    '--only: "" is not an organization\'s name',
    'use letters, digits, hyphens and underscores',
  ],
] as [string[], string, string][])('%j is wrong usage: status 2', async (words, message, hint) => {
  const server = await testServer({ start: false });
  expect(said(await server.ktadmin(['restore', '/nowhere', ...words]))).toEqual(refusal(2, message, hint));
});

test('--dry-run shows the same and changes nothing', async () => {
  const { server, set } = await place();
  await server.query(withoutOrganization('prod'));
  const before = await dumpLines(server);
  const tried = said(await restore(server, set, ['organization=prod', '--dry-run']));
  expect(tried).toMatchObject({
    status: 0,
    stdout: 'Would add 1 organization, 2 contacts, 3 clients, 4 deposits\n',
  });
  expect(await dumpLines(server)).toEqual(before);
  expect(await databases(server)).toBe('keytrustee postgres');
  const done = said(await restore(server, set, ['organization=prod', '--yes']));
  expect(done.stderr).toBe(tried.stderr);
});

test('--json prints the counts', async () => {
  const { server, set } = await place();
  await server.query(withoutOrganization('prod'));
  const result = await restore(server, set, [
    `deposit=${uuid('first')}`,
    'organization=other',
    '--dry-run',
    '--json',
    '--quiet',
  ]);
  expect(JSON.parse(result.stdout)).toEqual({
    dryRun: true,
    organizations: { added: 1, present: 1 },
    contacts: { added: 0, present: 1 },
    clients: { added: 1, present: 1 },
    deposits: { added: 1, present: 1, undeleted: 0, deleted: 0 },
    organizationsBack: [],
    disabled: { organizations: ['prod'], clients: [A] },
  });
});

test('without a terminal it asks nobody: status 2, and nothing is changed', async () => {
  const { server, set } = await place();
  await server.query(withoutOrganization('prod'));
  const before = await dumpLines(server);
  const refused = said(await restore(server, set, ['organization=prod', '--quiet']));
  expect(refused).toEqual(
    refusal(
      2,
      'this asks before it changes anything, and there is no terminal to ask on',
      'to go on without being asked, add --yes',
    ),
  );
  expect(await dumpLines(server)).toEqual(before);
  expect(await databases(server)).toBe('keytrustee postgres');
});

test.skipIf(!hasTerminal)(
  'on a terminal it asks (needs script of util-linux): n changes nothing, y adds',
  async () => {
    const { server, set } = await place();
    await server.query(withoutOrganization('prod'));
    const before = await dumpLines(server);
    const words = ['restore', set, '--only', 'organization=prod'];
    const no = await ktadminOnTerminal(server, words, { typing: [['Add what is missing?', 'n\r']] });
    expect(no).toMatchObject({ status: 1, text: expect.stringContaining('nothing was changed') });
    expect(await dumpLines(server)).toEqual(before);
    expect(await databases(server)).toBe('keytrustee postgres');
    const yes = await ktadminOnTerminal(server, words, { typing: [['Add what is missing?', 'y\r']] });
    expect(yes).toMatchObject({ status: 0, text: expect.stringContaining('Added 1 organization') });
  },
);

test("another server's set is refused, unless --force is given", async () => {
  const { server, set } = await place();
  const path = join(server.confdir, 'keytrustee.conf');
  const other = `4096R/${'1'.repeat(40)}`;
  await writeFile(path, (await readFile(path, 'utf8')).replace(server.fingerprint, other));
  if (isRoot) await chown(path, world.account.uid, world.account.gid);
  await server.query(withoutOrganization('prod'));
  expect(said(await restore(server, set, ['organization=prod', '--yes']))).toEqual(
    refusal(
      8,
      `the set belongs to another server: ${server.fingerprint}, and this one is ${other}`,
      'to take from it nevertheless, add --force',
    ),
  );
  expect((await restore(server, set, ['organization=prod', '--yes', '--force'])).status).toBe(0);
});

test('the database must run: status 7; without a server: status 3', async () => {
  const { server, set } = await place();
  await server.ktadmin(['db', 'stop']);
  const stopped = said(await restore(server, set, ['organization=prod', '--yes']));
  expect(stopped).toMatchObject({ status: 7, stdout: '' });
  expect(stopped.stderr).toMatch(
    /^ktadmin: error: the database does not answer .*\nktadmin: hint: ktadmin db start .*\n$/,
  );
  const nowhere = join(server.directory, 'none');
  expect(await restore(server, set, ['organization=prod', '--yes', `--confdir=${nowhere}`])).toMatchObject({
    status: 3,
  });
});

test('a database of another version is refused: status 3', async () => {
  const { server, set } = await place();
  await server.query('delete from schema_migration');
  expect(said(await restore(server, set, ['organization=prod', '--yes']))).toEqual(
    refusal(3, "the database's tables are of an older version", 'ktadmin db restart'),
  );
});

test('an organization without anything in it comes back too', async () => {
  const server = await testServer();
  await server.query(
    `insert into organization (uuid, name, auth_secret) values ('${uuid('empty')}', 'empty', '')`,
  );
  const set = await backup(server);
  const before = await contentOf(server);
  await server.query("delete from organization where name = 'empty'");
  const restored = await restore(server, set, ['organization=empty', '--yes']);
  expect(restored).toMatchObject({
    status: 0,
    stdout: 'Added 1 organization, 0 contacts, 0 clients, 0 deposits\n',
  });
  expect(await contentOf(server)).toEqual(before);
});

test('ten thousand deposits of every size come back byte for byte', async () => {
  const { server } = await place();
  await server.query(`insert into deposit (uuid, client_id, handle, content, sha256)
    select rpad('x' || lpad(n::text, 5, '0'), 43, 'x'), client.id, 'many/' || n, content, sha256(content)
    from generate_series(1, 10000) as n, client,
      lateral (select case when n % 2000 = 0 then decode(repeat(md5(n::text), 32768), 'hex')
        when n % 777 = 0 then '' else decode(repeat(md5(n::text), 3), 'hex') end as content) as made
    where fingerprint = '${A}'`);
  const set = await backup(server);
  const digest =
    "select md5(string_agg(uuid || coalesce(handle, '') || created_at || md5(content) || encode(sha256, 'hex'), '' order by uuid)) from deposit";
  const before = await server.query(digest);
  await server.query(withoutOrganization('prod'));
  const restored = await restore(server, set, ['organization=prod', '--yes']);
  expect(restored).toMatchObject({
    status: 0,
    stdout: 'Added 1 organization, 2 contacts, 3 clients, 10004 deposits\n',
  });
  expect(await server.query(digest)).toBe(before);
});

// Two are left behind on purpose: an approval's link is good for 12 hours, and a put is repeated within minutes.
test('every column of the tables is copied: a new one must be added to src/lib/backups/only', async () => {
  const { server } = await place();
  const columns =
    await server.query(`select string_agg(table_name || '.' || column_name, ' ' order by table_name, ordinal_position)
    from information_schema.columns where table_schema = 'public' and table_name <> 'schema_migration'`);
  expect(columns).toMatchInlineSnapshot(
    `"client.id client.organization_id client.fingerprint client.name client.public_key client.state client.created_at client.activated_at client.disabled_at client_approval.id client_approval.client_id client_approval.contact_id client_approval.token_hash client_approval.created_at client_approval.expires_at client_approval.used_at client_approval.decision contact.id contact.organization_id contact.email contact.public_key contact.created_at contact_invitation.id contact_invitation.contact_id contact_invitation.token_hash contact_invitation.created_at contact_invitation.expires_at contact_invitation.used_at deposit.id deposit.uuid deposit.client_id deposit.handle deposit.content deposit.sha256 deposit.created_at deposit.expires_at deposit.retrievals_left deposit.deleted_at deposit.put_key organization.id organization.uuid organization.name organization.auth_secret organization.state organization.created_at organization.expires_at"`,
  );
});
