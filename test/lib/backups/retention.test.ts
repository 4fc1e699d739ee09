import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { setStem } from '../../../src/lib/backups/name.ts';
import { rollSets, sweepUnfinished } from '../../../src/lib/backups/roll.ts';
import { world } from '../../support/sandbox.ts';

const HOST = 'kts1.example.com';
const NOW = new Date('2026-02-10T11:14:37Z');

async function withDirectory<T>(names: string[], work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(world.directory, 't'));
  try {
    for (const name of names) await writeFile(join(directory, name), name);
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const at = (seconds: number, host = HOST, number = 0) =>
  setStem(host, new Date(NOW.getTime() + seconds * 1000), number);

const foreign = fc.constantFrom(
  `${at(-100, 'kts10.example.com')}.tar`,
  `${at(-100, 'kts.example.com')}.tar.gpg`,
  `${at(-100)}.sql`,
  `${at(-100)}.tar.part`,
  `${at(-100)}.tar.bak`,
  'notes.txt',
  '.hidden',
);
const seconds = fc.integer({ min: -40, max: 40 });
const own = fc
  .tuple(seconds, fc.constantFrom('.tar', '.tar.gpg'))
  .map(([when, ending]) => ({ when, ending }));

test('retention is what the model says: the newest N that are not from the future', async () => {
  const sets = fc.uniqueArray(own, { selector: ({ when }) => when, maxLength: 25 });
  const others = fc.uniqueArray(foreign);
  await fc.assert(
    fc.asyncProperty(sets, others, fc.integer({ min: 1, max: 12 }), async (mine, theirs, keep) => {
      const past = mine.filter(({ when }) => when < 0).toSorted((a, b) => a.when - b.when);
      const future = mine.filter(({ when }) => when > 0);
      const name = ({ when, ending }: { when: number; ending: string }) => `${at(when)}${ending}`;
      const made = `${at(0)}.tar.gpg`;
      await withDirectory([...past.map(name), ...future.map(name), ...theirs, made], async (directory) => {
        const deleted = await rollSets(directory, HOST, keep, join(directory, made));
        const gone = past.slice(0, Math.max(0, past.length - (keep - 1))).map(name);
        expect(deleted).toEqual(gone.map((file) => join(directory, file)));
        const stay = [...past.slice(gone.length).map(name), ...future.map(name), ...theirs, made];
        expect((await readdir(directory)).toSorted()).toEqual(stay.toSorted());
      });
    }),
    { numRuns: 80 },
  );
}, 120_000);

test('defect: a set from the future pushed a good one out', async () => {
  const names = [`${at(-60)}.tar`, `${at(86_400)}.tar`, `${at(0)}.tar`];
  await withDirectory(names, async (directory) => {
    expect(await rollSets(directory, HOST, 2, join(directory, `${at(0)}.tar`))).toEqual([]);
    expect(await rollSets(directory, HOST, 1, join(directory, `${at(0)}.tar`))).toEqual([
      join(directory, `${at(-60)}.tar`),
    ]);
  });
});

test('sets of one second go in the order of their numbers', async () => {
  const names = [0, 1, 2, 10].map((number) => `${at(0, HOST, number)}.tar`);
  await withDirectory(names, async (directory) => {
    const made = join(directory, `${at(0, HOST, 10)}.tar`);
    expect(await rollSets(directory, HOST, 2, made)).toEqual(
      names.slice(0, 2).map((name) => join(directory, name)),
    );
  });
});

test('directories and links of a set’s name are left alone', async () => {
  await withDirectory([`${at(0)}.tar`], async (directory) => {
    await mkdir(join(directory, `${at(-50)}.tar`));
    await symlink('/etc/passwd', join(directory, `${at(-40)}.tar`));
    expect(await rollSets(directory, HOST, 1, join(directory, `${at(0)}.tar`))).toEqual([]);
    expect(await readdir(directory)).toHaveLength(3);
  });
});

test('unfinished sets of this host are swept, and nothing else', async () => {
  const stay = [`${at(-9)}.tar`, `${at(-9, 'kts10.example.com')}.tar.part`, 'x.part'];
  await withDirectory([...stay, `${at(-9)}.tar.part`, `${at(-8)}.tar.gpg.part`], async (directory) => {
    await mkdir(join(directory, `${at(-7)}.tar.part`));
    await sweepUnfinished(directory, HOST);
    expect((await readdir(directory)).toSorted()).toEqual([...stay, `${at(-7)}.tar.part`].toSorted());
  });
});
