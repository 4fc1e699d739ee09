import { expect, test } from 'vitest';
import { type TestServer, testServer, withoutDrop } from '../../support/sandbox.ts';

async function insert(server: TestServer, name: string, rest: string): Promise<void> {
  const columns = 'uuid, name, auth_secret, created_at, expires_at';
  await server.query(
    `insert into public.organization (${columns}) values (${rest.replace('NAME', `'${name}'`)})`,
  );
}

const uuid = (letter: string) => `'${letter.repeat(43)}'`;

test('an empty database prints an empty object, and so does a machine-readable run', async () => {
  const server = await testServer();
  for (const args of [['list'], ['list', '--json']]) {
    const listed = await server.orgtool(args);
    expect(withoutDrop(listed.stderr)).toBe('');
    expect(listed).toMatchObject({ status: 0, stdout: '{}\n' });
  }
});

test('list prints the original form to the byte, and the local time of whoever asks', async () => {
  const server = await testServer();
  await insert(
    server,
    'disaster-recov',
    `${uuid('b')}, NAME, 'p"ä\\€😀</x>', '2013-12-02 17:55:21.9Z', null`,
  );
  await insert(server, 'Zulu', `${uuid('a')}, NAME, '', '2014-01-01 00:00:00Z', '2030-06-01 12:00:00Z'`);
  await server.query(
    "insert into public.contact (organization_id, email) select id, unnest(array['finn@example.com', 'jake@example.com']) from public.organization where name = 'disaster-recov'",
  );
  await server.query("update public.organization set state = 1 where name = 'Zulu'");
  const west = await server.orgtool(['list'], { env: { TZ: 'Etc/GMT+8' } });
  expect(withoutDrop(west.stderr)).toBe('');
  expect(west.stdout).toBe(String.raw`{
    "Zulu": {
        "auth_secret": "",
        "contacts": [],
        "creation": "2013-12-31T16:00:00",
        "expiration": "2030-06-01T04:00:00",
        "key_info": null,
        "name": "Zulu",
        "state": 1,
        "uuid": "${'a'.repeat(43)}"
    },
    "disaster-recov": {
        "auth_secret": "p\"\u00e4\\\u20ac\ud83d\ude00</x>",
        "contacts": [
            "finn@example.com",
            "jake@example.com"
        ],
        "creation": "2013-12-02T09:55:21",
        "expiration": "9999-12-31T15:59:59",
        "key_info": null,
        "name": "disaster-recov",
        "state": 0,
        "uuid": "${'b'.repeat(43)}"
    }
}
`);
  const eastern = await server.orgtool(['list', '-n', 'disaster-recov'], { env: { TZ: 'Etc/GMT+5' } });
  expect(eastern.stdout).toContain('"expiration": "9999-12-31T18:59:59"');
});

test('east of Greenwich "never" stays in the year 9999, which every reader of the format takes', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'east', '-c', 'a@example.com']);
  for (const TZ of ['Asia/Kolkata', 'Pacific/Kiritimati', 'UTC']) {
    const { stdout } = await server.orgtool(['list'], { env: { TZ } });
    expect(stdout).toContain('"expiration": "9999-12-31T23:59:59"');
  }
});

test('list -n prints one organization by its exact name', async () => {
  const server = await testServer();
  for (const name of ['prod', 'prod-eu', 'PROD'])
    await server.orgtool(['add', '-n', name, '-c', 'a@example.com']);
  const whole = JSON.parse((await server.orgtool(['list'])).stdout) as Record<string, unknown>;
  expect(Object.keys(whole)).toEqual(['PROD', 'prod', 'prod-eu']);
  const one = await server.orgtool(['list', '-n', 'prod']);
  expect(JSON.parse(one.stdout)).toEqual({ prod: whole.prod });
});

test('list -n of an unknown organization is an error, and prints no data', async () => {
  const server = await testServer();
  const { stderr, ...rest } = await server.orgtool(['list', '-n', 'nobody']);
  expect(rest).toEqual({ status: 5, signal: null, stdout: '' });
  expect(withoutDrop(stderr)).toBe(
    'ktadmin: error: there is no organization nobody\nktadmin: hint: ktadmin orgtool list shows those that exist\n',
  );
});

test('list --redact hides the codes, and shows which organization has none', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'coded', '-c', 'a@example.com']);
  await server.orgtool(['add', '-n', 'open', '-c', 'a@example.com']);
  await server.orgtool(['set-auth', '-n', 'open', '-s', '']);
  const plain = JSON.parse((await server.orgtool(['list'])).stdout) as Record<
    string,
    { auth_secret: string }
  >;
  const { stdout } = await server.orgtool(['list', '--redact']);
  expect(stdout).not.toContain(plain.coded?.auth_secret);
  const hidden = JSON.parse(stdout) as typeof plain;
  expect(hidden.coded?.auth_secret).toBe('[redacted]');
  expect(hidden.open?.auth_secret).toBe('');
});
