import { appendFile, chmod, lstat, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  identityOf,
  isSameFile,
  readRecords,
  recordDrilled,
  recordsPath,
  recordVerified,
} from '../../../src/lib/backups/records.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

const HOST = 'kts1.example.com';
const nameOf = (minute: number, host = 'kts1_example_com') =>
  `kts_bak_${host}_2026-02-10_11-${String(minute).padStart(2, '0')}-00.tar.gpg`;

async function place(count = 1) {
  const directory = await temporaryDirectory();
  const paths = Array.from({ length: count }, (_, minute) => join(directory, nameOf(minute)));
  for (const path of paths) await writeFile(path, path);
  const [path = ''] = paths;
  return { directory, paths, path, records: async () => (await readRecords(directory, HOST)).sets };
}

test('what was found is remembered of that file; a drill does not forget when it was verified', async () => {
  const { directory, path, records } = await place();
  const file = await identityOf(path);
  await recordDrilled(path, { file, outcome: 'good', at: new Date('2026-02-11T00:00:00Z') });
  await recordVerified(path, { file, outcome: 'good', at: new Date('2026-02-12T00:00:00Z') });
  const expected = {
    file,
    outcome: 'good',
    verifiedAt: '2026-02-12T00:00:00.000Z',
    drilledAt: '2026-02-11T00:00:00.000Z',
  };
  expect(await records()).toEqual(new Map([[nameOf(0), expected]]));
  expect((await lstat(recordsPath(directory, HOST))).mode & 0o777).toBe(0o600);

  await appendFile(path, 'more');
  const changed = await identityOf(path);
  expect(isSameFile(file, changed)).toBe(false);
  await recordVerified(path, { file: changed, outcome: 'damaged' });
  expect((await records()).get(nameOf(0))).toMatchObject({ outcome: 'damaged', drilledAt: null });
});

test('writers at the same time lose nothing of each other', async () => {
  const { paths, records } = await place(12);
  await Promise.all(
    paths.map(async (path) => recordVerified(path, { file: await identityOf(path), outcome: 'good' })),
  );
  expect([...(await records()).keys()].toSorted()).toEqual(paths.map((_, minute) => nameOf(minute)));
});

test('sets that are gone are forgotten, other hosts have a file of their own, and other names none', async () => {
  const { directory, paths, path, records } = await place(2);
  const foreign = join(directory, nameOf(0, 'kts10_example_com'));
  const renamed = join(directory, 'copy.tar.gpg');
  for (const each of [foreign, renamed]) await writeFile(each, '');
  for (const each of [...paths, foreign, renamed])
    await recordVerified(each, { file: await identityOf(each), outcome: 'good' });
  expect((await records()).size).toBe(2);
  await rm(path);
  const other = paths[1] ?? '';
  await recordVerified(other, { file: await identityOf(other), outcome: 'good' });
  expect([...(await records()).keys()]).toEqual([nameOf(1)]);
  expect((await readRecords(directory, 'kts10.example.com')).sets.size).toBe(1);
});

test.each([
  ['no JSON', '{"format": 1, "sets": {'],
  ['another shape', '{"format": 1, "sets": {"x": {"outcome": "splendid"}}}'],
  ['a later format', '{"format": 2, "sets": {}}'],
  ['nothing', ''],
])('a file that holds %s is no obstacle: one starts anew and says so', async (_, text) => {
  const { directory, path, records } = await place();
  const file = recordsPath(directory, HOST);
  await writeFile(file, text);
  expect(await readRecords(directory, HOST)).toEqual({
    sets: new Map(),
    fault: `${file} cannot be read: when sets were verified is not known any more`,
  });
  await recordVerified(path, { file: await identityOf(path), outcome: 'good' });
  expect((await records()).size).toBe(1);
  expect((await readRecords(directory, HOST)).fault).toBeUndefined();
});

test('a link in its place is replaced, and what it points at stays; what a killed writer left is no obstacle', async () => {
  const { directory, path, records } = await place();
  const target = join(directory, 'precious');
  await writeFile(target, 'precious');
  await chmod(target, 0o644);
  await symlink(target, recordsPath(directory, HOST));
  await symlink(target, `${recordsPath(directory, HOST)}.part`);
  await recordVerified(path, { file: await identityOf(path), outcome: 'good' });
  expect((await records()).size).toBe(1);
  expect(await readFile(target, 'utf8')).toBe('precious');
  expect((await lstat(recordsPath(directory, HOST))).isFile()).toBe(true);
});
