/** `ktadmin restore` while clients go on using the server: they come back as fast as they are sent away. */
import { expect, test } from 'vitest';
import { depositor } from '../support/depositor.ts';
import { restore } from '../support/restored.ts';
import { testServer, until } from '../support/sandbox.ts';
import { serving } from '../support/serving.ts';
import { backup } from '../support/sets.ts';

const CLIENTS = 8;

test('defect: no restore came to its end while clients used the server', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const serves = await serving(server);
  const client = await depositor(server, serves, 'prod');
  const set = await backup(server);
  let isOver = false;
  let answered = 0;
  const users = Array.from({ length: CLIENTS }, async () => {
    while (!isOver) {
      const put = await client.put(Buffer.from('a key')).catch(() => undefined);
      if (put?.status === 201) answered += 1;
    }
  });
  try {
    await until(async () => answered > CLIENTS, 'clients use the server');
    const ended = await restore(server, [set, '--yes']);
    expect(ended, ended.stderr).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Restored .*: 1 organization/),
    });
    const before = answered;
    await until(async () => answered > before, 'clients are served again');
  } finally {
    isOver = true;
    await Promise.all(users);
  }
});
