/** `ktadmin ha join --replace-data` on the server that was active: for the day on which the other one has what counts. */
import { readdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { must, sharedPair } from '../../support/pair.ts';
import { refusal, said } from '../../support/refusal.ts';
import { ownedDirectory, type TestServer, temporaryDirectory } from '../../support/sandbox.ts';

const pair = sharedPair();

const joins = async (server: TestServer, other: TestServer, ...words: string[]) =>
  said(await server.ktadmin(['ha', 'join', '--active', `localhost:${other.port}`, ...words]));

test('a server that the pair went on without is nobody’s active server', async () => {
  const { active: first, passive: second } = pair;
  await must(first.ktadmin(['db', 'stop']));
  await must(second.ktadmin(['ha', 'promote', '-q']));
  await must(first.ktadmin(['db', 'start']));
  expect(await joins(second, first, '--replace-data')).toEqual(
    refusal(3, 'the pair went on without localhost: it serves nobody', 'on localhost: ktadmin ha rejoin'),
  );
});

test('defect: a fenced server showed and backed up what is old without a word, and deleted good sets for it', async () => {
  const { active: first } = pair;
  const old = 'the pair went on without this server: what it has is old';
  for (const command of ['list', 'list-clients'])
    expect(said(await first.orgtool([command])).stderr).toContain(`ktadmin: warning: ${old}\n`);
  const output = await ownedDirectory(await temporaryDirectory(), 'sets');
  const words = ['--cleartext', '--quiet', '--roll', '1', '--output', output];
  const kept = await must(first.ktbackup(words));
  const again = await must(first.ktbackup(words));
  expect(again.stderr).toMatch(/WARNING - The pair went on without this server: what it has is old, and/);
  expect(await readdir(output)).toEqual(
    expect.arrayContaining([kept, again].map(({ stdout }) => basename(stdout.trim()))),
  );
});

test('defect: no server could be given up for one that was made anew, because it was the active one', async () => {
  const { active: first, passive: second } = pair;
  await must(second.orgtool(['add', '-n', 'damaged', '-c', 'root@localhost']));
  await must(first.ktadmin(['db', 'stop']));
  await rm(first.pgRootdir, { recursive: true });
  await must(first.ktadmin(['init']));
  await must(first.ktadmin(['db', 'start']));
  await must(first.orgtool(['add', '-n', 'restored', '-c', 'root@localhost']));
  const hint =
    'run it on the other; --replace-data makes this one the passive server of localhost all the same';
  expect(await joins(second, first)).toEqual(refusal(3, 'this server is the active one of its pair', hint));
  expect(await joins(second, first, '--replace-data')).toMatchObject({
    ...{ status: 0, stdout: 'passive: follows localhost\n' },
    stderr: expect.stringMatching(/^what was here is kept in .*\nnext, on localhost: ktadmin ha sync on\n$/),
  });
  await must(first.ktadmin(['ha', 'sync', 'on']));
  expect(await second.query('select name from organization')).toBe('restored');
  const directories = (await readdir(second.pgRootdir)).filter((name) => name.startsWith('data'));
  expect(directories).toEqual(['data', expect.stringMatching(/^data\.before-/)]);
});
