import { appendFile, chmod, copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import {
  checksums,
  ownedDirectory,
  run,
  type TestServer,
  testServer,
  withoutDrop,
} from '../../support/sandbox.ts';
import { backup } from '../../support/sets.ts';

interface Listed {
  name: string;
  state: string;
  reason: string | null;
  age: number | null;
  sequence: number | null;
  encrypted: boolean;
  recipients: { userId: string }[] | null;
  verifiedAt: string | null;
  drilledAt: string | null;
}

async function list(server: TestServer, ...args: string[]) {
  const output = join(server.directory, 'backups');
  const { status, stdout, stderr } = await server.ktadmin(['backup', 'list', '--output', output, ...args]);
  return { status, stdout, stderr: withoutDrop(stderr) };
}

const sets = async (server: TestServer, ...args: string[]) =>
  JSON.parse((await list(server, '--json', ...args)).stdout) as Listed[];

const UNKNOWN = 'kts_bak_kts01_example_com_2016-02-10_11-14-37.tar.gpg';

test('what is in the directory, the newest first, whatever became of it; the database need not run', async () => {
  const server = await testServer();
  const clear = await backup(server);
  const changed = await backup(server, '--gpg-recipient=John Doe');
  const flipped = await backup(server, '--gpg-recipient=John Doe');
  const good = await backup(server, '--gpg-recipient=John Doe');
  await server.ktadmin(['db', 'stop']);
  await appendFile(changed, 'x');
  const text = await readFile(flipped);
  text[text.length - 1] = (text.at(-1) ?? 0) ^ 1;
  await writeFile(flipped, text);
  const output = join(server.directory, 'backups');
  await writeFile(join(output, UNKNOWN), 'who knows');
  await writeFile(join(output, 'kts_bak_kts01_example_com_2016-02-10_11-14-38.tar.part'), '');
  await writeFile(join(output, 'kts_bak_kts010_example_com_2016-02-10_11-14-38.tar'), '');

  const found = await sets(server);
  expect(found.map(({ name, state, sequence }) => [name, state, sequence])).toEqual([
    [basename(good), 'good', 4],
    [basename(flipped), 'not checked', 3],
    [basename(changed), 'damaged', 2],
    [basename(clear), 'good', 1],
    ['kts_bak_kts01_example_com_2016-02-10_11-14-38.tar.part', 'unfinished', null],
    [UNKNOWN, 'no receipt', null],
  ]);
});

test('people get a table, what is wrong below it, and are told when nothing good is young', async () => {
  const server = await testServer();
  const clear = basename(await backup(server));
  const secret = await backup(server, '--gpg-recipient=John Doe');
  const shown = await list(server);
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  const [head, ...rows] = shown.stdout.split('\n');
  expect(head).toMatch(/^set +age +size +state +verified +drilled +readable by$/);
  const when = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d`;
  expect(rows[0]).toMatch(
    new RegExp(`^${basename(secret)} +\\d+ s +[\\d.]+ KiB +good +${when} +- +John Doe <doe@example.com>$`),
  );
  expect(rows[1]).toMatch(
    new RegExp(`^${clear} +\\d+ (?:s|min) +[\\d.]+ KiB +good +${when} +- +everybody \\(clear text\\)$`),
  );

  const output = join(server.directory, 'backups');
  await run('rm', ['-rf', output]);
  expect(await list(server)).toEqual({
    status: 5,
    stdout: '',
    stderr: `ktadmin: error: ${output} does not exist\n`,
  });
  await ownedDirectory(server.directory, 'backups');
  expect(await list(server)).toEqual({ status: 0, stdout: '', stderr: 'no sets\n' });
  await writeFile(join(output, UNKNOWN), 'who knows');
  expect(await list(server, '--quiet')).toMatchObject({
    status: 0,
    stderr: 'ktadmin: warning: no set here is known to be good; --check reads them\n',
  });
});

test('--check reads every set, and what it found is remembered until the file is touched', async () => {
  const server = await testServer();
  const clear = await backup(server);
  const secret = await backup(server, '--gpg-recipient=John Doe');
  const flipped = await backup(server, '--gpg-recipient=John Doe');
  const text = await readFile(flipped);
  text[text.length - 1] = (text.at(-1) ?? 0) ^ 1;
  await writeFile(flipped, text);
  // Without records and a receipt, as if it had been copied here alone.
  await rm(`${clear}.receipt.asc`);
  await rm(join(server.directory, 'backups', '.kts_bak_kts01_example_com.records.json'));
  const states = (found: Listed[]) =>
    Object.fromEntries(found.map(({ name, state, verifiedAt }) => [name, [state, verifiedAt !== null]]));
  const before = { [basename(clear)]: ['no receipt', false], [basename(secret)]: ['not checked', false] };
  expect(states(await sets(server))).toEqual({ ...before, [basename(flipped)]: ['not checked', false] });
  expect(states(await sets(server, '--check'))).toEqual({
    [basename(clear)]: ['good', true],
    [basename(secret)]: ['good', true],
    [basename(flipped)]: ['damaged', true],
  });
  const found = await sets(server);
  expect(states(found)[basename(secret)]).toEqual(['good', true]);
  expect(found.find(({ name }) => name === basename(flipped))).toMatchObject({
    state: 'damaged',
    reason: 'it was not what its receipt says',
    sequence: 3,
    encrypted: true,
    recipients: [{ userId: 'John Doe <doe@example.com>' }],
    drilledAt: null,
  });
  await copyFile(secret, `${secret}.copy`);
  await run('mv', [`${secret}.copy`, secret]);
  expect(states(await sets(server))[basename(secret)]).toEqual(['not checked', false]);
});

test('a directory that can only be read is listed, and nothing in it changes', async () => {
  const server = await testServer();
  const secret = await backup(server, '--gpg-recipient=John Doe');
  const output = join(server.directory, 'backups');
  await rm(join(output, '.kts_bak_kts01_example_com.records.json'));
  await chmod(output, 0o500);
  const before = await checksums(output);
  expect((await sets(server)).map(({ state }) => state)).toEqual(['not checked']);
  const { status, stderr, stdout } = await list(server, '--check', '--json');
  expect(status).toBe(0);
  expect(stderr).toMatch(
    new RegExp(
      `WARNING - That ${basename(secret)} was verified cannot be remembered: .*permission denied\\n$`,
    ),
  );
  expect((JSON.parse(stdout) as Listed[]).map(({ state }) => state)).toEqual(['good']);
  expect(await checksums(output)).toBe(before);
  await chmod(output, 0o700);
});
