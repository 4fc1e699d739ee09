/** A server that is fenced while it runs, and `ktadmin ha rejoin`: what it refuses, and data that cannot be rewound. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { must, sharedPair } from '../../support/pair.ts';
import { refusal, said } from '../../support/refusal.ts';
import { freePort, replaceIn, type TestServer, testServer } from '../../support/sandbox.ts';

const pair = sharedPair();

const rejoin = async (server: TestServer, ...words: string[]) =>
  said(await server.ktadmin(['ha', 'rejoin', ...words]));

test('nothing to rejoin: it is the active one, the other one is this server, answers nowhere, is not known', async () => {
  const { active, passive } = pair;
  const alone = await testServer({ start: false });
  expect(await rejoin(active)).toEqual(
    refusal(3, 'this server is the active one: it has nothing to rejoin', 'ktadmin ha status'),
  );
  expect(await rejoin(active, '--active', `localhost:${active.port}`)).toEqual(
    refusal(2, 'localhost is this server', 'name the active server, and run it on the passive one'),
  );
  expect(await rejoin(active, '--active', 'localhost:1')).toMatchObject({ status: 7, stdout: '' });
  expect(await rejoin(alone)).toEqual(
    refusal(2, 'this server knows no other one', 'name the active server by --active HOST'),
  );
  expect(await rejoin(passive)).toMatchObject({ status: 0, stdout: 'passive: follows localhost, epoch 1\n' });
  expect(await pair.node(active)).toMatchObject({ role: 'active', epoch: 1 });
});

test('an active server that runs, and whose pair went on behind its back, is fenced as soon as it learns of that', async () => {
  const { active, passive } = pair;
  const file = join(passive.pgRootdir, 'replication/node.json');
  const [real, closed] = [`"port": ${active.port}`, `"port": ${await freePort()}`];
  // As where a link is cut, and a firewall answers in the place of the other host.
  await replaceIn(file, [[real, closed]]);
  await must(passive.ktadmin(['ha', 'promote', '-q']));
  await replaceIn(file, [[closed, real]]);
  expect(said(await active.ktadmin(['db', 'start']))).toEqual({
    status: 0,
    stdout: '',
    stderr:
      `PostgreSQL was running already on port ${active.port}\n` +
      `ktadmin: warning: the pair goes on without this server: localhost (port ${passive.port}) is active, epoch 2; this one serves nothing\n` +
      'ktadmin: hint: ktadmin ha rejoin makes it the passive server\n',
  });
  expect(await active.query("select current_setting('keytrustee.role')")).toBe('fenced');
  expect(await active.orgtool(['add', '-n', 'lost', '-c', 'root@localhost'])).toMatchObject({ status: 3 });
});

test('data that cannot be rewound are replaced by a copy, and kept', async () => {
  const { active: first, passive: second } = pair;
  await must(second.orgtool(['add', '-n', 'after', '-c', 'root@localhost']));
  await must(first.ktadmin(['db', 'stop']));
  await rm(join(first.pgRootdir, 'data/pg_wal'), { recursive: true });
  const ended = await rejoin(first);
  const kept = (await readdir(first.pgRootdir)).filter((name) => name.startsWith('data.before-'));
  expect(ended).toEqual({
    status: 0,
    stdout: 'passive: follows localhost, epoch 2\n',
    stderr: `what was here is kept in ${join(first.pgRootdir, kept[0] ?? 'nowhere')}; ktadmin-ha(8) says how to look into it\nnext, on localhost: ktadmin ha sync on\n`,
  });
  await must(second.ktadmin(['ha', 'sync', 'on']));
  expect(await first.query('select name from organization')).toBe('after');
});
