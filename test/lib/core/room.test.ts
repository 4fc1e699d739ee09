/** Whether there is room for what clients want to add. */
import { expect, test } from 'vitest';
import { freeSpace } from '../../../src/lib/core/files.ts';
import { MEBIBYTE, openRoom } from '../../../src/lib/core/room.ts';
import { smallDisk } from '../../support/disk.ts';
import { isRoot, temporaryDirectory, until } from '../../support/sandbox.ts';

test('as much as anybody has is asked for: nothing is let in; with no floor everything is; each change is told once', async () => {
  const directory = await temporaryDirectory();
  const places = { database: '/', audit: directory };
  const told: boolean[] = [];
  let floor = 1_000_000_000;
  const room = openRoom(
    places,
    () => floor,
    (has) => void told.push(has),
  );
  expect([await room.has(1), await room.has(1), told]).toEqual([false, false, [false]]);
  floor = 0;
  expect([await room.has(1), await room.has(MEBIBYTE), told]).toEqual([true, true, [false, true]]);
});

test('a place that cannot be looked at lets in: what is written there fails with its own reason', async () => {
  const nowhere = '/nonexistent/place';
  await expect(freeSpace(nowhere)).rejects.toMatchObject({ code: 'ENOENT' });
  const room = openRoom(
    { database: nowhere, audit: nowhere },
    () => 256,
    () => undefined,
  );
  expect(await room.has(MEBIBYTE)).toBe(true);
});

test.skipIf(!isRoot)(
  'the smaller place counts, what was let in counts before it is written, and room that is made is seen (needs root: mounts a file system)',
  async () => {
    const disk = await smallDisk('64m');
    const told: boolean[] = [];
    const tell = (has: boolean) => void told.push(has);
    const room = openRoom({ database: '/', audit: disk.directory }, () => 32, tell);
    const all = await Promise.all(Array.from({ length: 100 }, () => room.has(MEBIBYTE)));
    // Three times a mebibyte and a bit each, of the 32 that are above the floor.
    expect(all.filter((has) => has)).toHaveLength(10);
    expect(told).toEqual([false]);
    await disk.fill(16 * MEBIBYTE);
    await until(async () => !(await room.has(1)), 'it is seen that the disk has less');
    await disk.free();
    await until(() => room.has(1), 'it is seen that the disk has more');
    expect(told).toEqual([false, true]);
  },
);
