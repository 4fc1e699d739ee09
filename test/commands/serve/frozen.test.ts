/** A PostgreSQL that says nothing any more: the server is told to stop all the same. */
import { expect, test } from 'vitest';
import { depositor } from '../../support/depositor.ts';
import { postmaster } from '../../support/postgres.ts';
import { descendants } from '../../support/processes.ts';
import { testServer } from '../../support/sandbox.ts';
import { serving } from '../../support/serving.ts';

test('defect: a server did not end while PostgreSQL was frozen', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const serves = await serving(server);
  const client = await depositor(server, serves, 'prod');
  expect((await client.put('a key')).status).toBe(201);
  const pid = await postmaster(server);
  const frozen = [pid, ...(await descendants(pid)).map((one) => one.pid)];
  try {
    for (const each of frozen) process.kill(each, 'SIGSTOP');
    serves.kill('SIGTERM');
    expect(await serves.ended).toEqual({ status: 0, signal: null });
    expect(serves.stderr()).toContain('"msg":"stopped"}\n');
  } finally {
    for (const each of frozen) process.kill(each, 'SIGCONT');
  }
});
