import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run, testServer } from '../support/sandbox.ts';

const program = join(import.meta.dirname, '..', '..', 'bench', 'seed-deposits');

test('seed-deposits fills a database with random deposits of an active client, as often as it is called', async () => {
  const server = await testServer();
  for (const count of ['1203', '1']) {
    const seeded = await run(program, ['--confdir', server.confdir, '--deposits', count]);
    expect(seeded.stderr).toBe('');
    expect(seeded.stdout).toMatch(new RegExp(`^${count} deposits of 1024 bytes in [0-9.]+ s\n$`));
    expect(seeded.status).toBe(0);
  }
  expect(
    await server.query(
      `select count(*), count(distinct content), count(distinct uuid), min(octet_length(content)), max(octet_length(content)),
              count(*) filter (where sha256 = sha256(content)), count(distinct client_id) from public.deposit`,
    ),
  ).toBe('1204|1204|1204|1024|1024|1204|2');
  const clients = await server.ktadmin(['orgtool', 'list-clients', '--json']);
  expect(JSON.parse(clients.stdout)).toMatchObject([
    { organization: 'seed', state: 'active' },
    { organization: 'seed', state: 'active' },
  ]);
});

test.each([
  [[], '--confdir and --deposits are both needed'],
  [['--confdir', '/', '--deposits', 'many'], '--deposits: not a whole number'],
  [['--nonsense'], "Unknown option '--nonsense'"],
])('seed-deposits %j is a usage error', async (args, message) => {
  expect(await run(program, args)).toEqual({
    status: 2,
    signal: null,
    stdout: '',
    stderr: `seed-deposits: error: ${message}\nseed-deposits: hint: bench/seed-deposits --confdir DIR --deposits N\n`,
  });
});
