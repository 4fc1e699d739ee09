import { appendFile, mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { setStem } from '../../../src/lib/backups/name.ts';
import { identityOf, recordVerified } from '../../../src/lib/backups/records.ts';
import { rollSets } from '../../../src/lib/backups/roll.ts';
import { sweepUnfinished } from '../../../src/lib/backups/sweep.ts';
import { type TestServer, testServer, world } from '../../support/sandbox.ts';
import { HOST, placeIn, plantSet, type SignedSet, signSets } from '../../support/signed-sets.ts';

const NOW = new Date('2026-02-10T11:14:37Z');
const DAY = 86_400_000;
const YEAR = 365 * DAY;
const at = (days: number) => new Date(NOW.getTime() + days * DAY);

/** Twelve sets of a server whose clock jumped back a year, forth by ten, and stood still. */
const CLOCK = [-30, -29, -28, -390, -389, -20, 3630, 3631, -10, -3, -2, -1];

let server: TestServer;
let pool: SignedSet[];
let calm: SignedSet[];

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  server = await testServer({ start: false, atEnd: (cleanUp) => cleanUps.push(cleanUp) });
  pool = await signSets(
    server,
    CLOCK.map((days, index) => ({
      sequence: index + 1,
      created: at(days),
      ending: index % 3 === 0 ? '.tar' : '.tar.gpg',
    })),
  );
  calm = await signSets(
    server,
    [-6, -5, -4, -3, -2, -1].map((days, index) => ({ sequence: index + 1, created: at(days) })),
  );
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(world.directory, 't'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Rolls and returns what was deleted, by name, and what was warned of. */
async function roll(directory: string, keep: number, made: string, now = NOW) {
  const warnings: string[] = [];
  const deleted = await rollSets(
    { place: placeIn(server, directory), keep, made: join(directory, made), now },
    {
      log: (_, level, message) => void (level === 'WARNING' && warnings.push(message)),
      step: (_, work) => work(),
    },
  );
  return { deleted: deleted.map((path) => path.slice(directory.length + 1)), warnings };
}

const remember = async (path: string, days = 0) =>
  recordVerified(path, { file: await identityOf(path), outcome: 'good', at: at(days) });

/** What can have become of a set since it was made; all but the first three make it count for nothing. */
const FATES: Record<string, (path: string) => Promise<unknown>> = {
  good: async () => undefined,
  'verified today': (path) => remember(path),
  'verified long ago': (path) => remember(path, -9),
  'changed after it was verified': async (path) => {
    await remember(path);
    await appendFile(path, 'x');
  },
  flipped: async (path) => writeFile(path, 'y', { flag: 'r+' }),
  truncated: async (path) => truncate(path, 5),
  empty: async (path) => truncate(path, 0),
  'without a receipt': async (path) => rm(`${path}.receipt.asc`),
  'with a damaged receipt': async (path) => truncate(`${path}.receipt.asc`, 400),
  'with the receipt of another': async (path) => writeFile(`${path}.receipt.asc`, calm[0]?.receipt ?? ''),
};
const isGoodFate = (fate: string) => fate === 'good' || fate.startsWith('verified ');
const FOREIGN = [
  `${setStem('kts10.example.com', at(-100))}.tar`,
  `${setStem('kts.example.com', at(-100))}.tar.gpg`,
  `${setStem(HOST, at(-100))}.sql`,
  `${setStem(HOST, at(-100))}.tar.part`,
  `${setStem(HOST, at(-100))}.tar.bak`,
  'notes.txt',
];

test('retention is what the model says, and never leaves fewer good sets than N, or than there were', async () => {
  const fates = fc.array(fc.option(fc.constantFrom(...Object.keys(FATES)), { freq: 4 }), {
    minLength: CLOCK.length,
    maxLength: CLOCK.length,
  });
  const nows = fc.constantFrom(NOW, at(-380), at(3640), new Date(NOW.getTime() + 11 * YEAR));
  await fc.assert(
    fc.asyncProperty(fates, fc.integer({ min: 1, max: 6 }), nows, async (each, keep, now) => {
      await withDirectory(async (directory) => {
        const there = pool.flatMap((set, index) => {
          const fate = index === pool.length - 1 ? 'good' : each[index];
          return fate === null || fate === undefined ? [] : [{ set, fate }];
        });
        for (const { set, fate } of there) await FATES[fate]?.(await plantSet(directory, set));
        for (const name of FOREIGN) await writeFile(join(directory, name), name);
        const before = await readdir(directory);
        const made = pool.at(-1)?.name ?? '';

        const { deleted } = await roll(directory, keep, made, now);
        const good = there.filter(({ set, fate }) => isGoodFate(fate) && set.created <= now);
        const gone = good.filter(
          ({ set }) =>
            set.name !== made &&
            good.filter((other) => other.set.sequence > set.sequence && other.set.created >= set.created)
              .length >= keep,
        );
        expect(deleted).toEqual(gone.map(({ set }) => set.name));
        const left = await readdir(directory);
        const pairs = deleted.flatMap((name) => [name, `${name}.receipt.asc`]);
        const stay = before.filter((name) => !pairs.includes(name));
        expect(left.filter((name) => !name.endsWith('.records.json')).toSorted()).toEqual(
          stay.filter((name) => !name.endsWith('.records.json')).toSorted(),
        );
        const allGood = there.filter(({ fate }) => isGoodFate(fate));
        const goodLeft = allGood.filter(({ set }) => left.includes(set.name)).length;
        expect(goodLeft).toBeGreaterThanOrEqual(Math.min(keep, allGood.length));
        expect((await roll(directory, keep, made, now)).deleted).toEqual([]);
      });
    }),
    { numRuns: 25 },
  );
}, 300_000);

test('seven bad days do not evict the good sets of before', async () => {
  await withDirectory(async (directory) => {
    for (const [index, set] of calm.entries()) {
      const path = await plantSet(directory, set);
      if (index >= 2 && index < 5) await appendFile(path, 'x');
    }
    const names = calm.map(({ name }) => name);
    const damaged = names
      .slice(2, 5)
      .toReversed()
      .map((name, index) => {
        const size = calm[4 - index]?.content.length ?? 0;
        return `${directory}/${name} is damaged and is left as it is: it has ${size + 1} bytes instead of ${size}`;
      });
    expect(await roll(directory, 3, names[5] ?? '')).toEqual({ deleted: [], warnings: damaged });
    expect((await roll(directory, 2, names[5] ?? '')).deleted).toEqual(names.slice(0, 1));
    expect((await roll(directory, 1, names[5] ?? '')).deleted).toEqual(names.slice(1, 2));
  });
});

test('a set that nothing has touched is read once a day, and not more often', async () => {
  for (const [days, expected] of [
    [-0.5, calm.slice(0, 4)],
    [-1.5, calm.slice(0, 3)],
    [0.5, calm.slice(0, 3)],
  ] as const) {
    await withDirectory(async (directory) => {
      for (const set of calm) await plantSet(directory, set);
      const path = join(directory, calm[4]?.name ?? '');
      // Only whoever reads the file finds this out.
      await writeFile(path, 'y', { flag: 'r+' });
      await remember(path, days);
      const { deleted } = await roll(directory, 2, calm[5]?.name ?? '');
      expect(deleted, `verified ${days} days from now`).toEqual(expected.map(({ name }) => name));
    });
  }
});

test('directories, links, and sets that cannot be judged are left alone', async () => {
  await withDirectory(async (directory) => {
    for (const set of calm.slice(3)) await plantSet(directory, set);
    const odd = `${setStem(HOST, at(-50))}.tar.gpg`;
    const other = `${setStem(HOST, at(-51))}.tar.gpg`;
    await mkdir(join(directory, `${setStem(HOST, at(-52))}.tar`));
    await symlink('/etc/passwd', join(directory, `${setStem(HOST, at(-53))}.tar`));
    await writeFile(join(directory, odd), 'no receipt');
    await writeFile(join(directory, other), 'other');
    const foreign = (calm[0]?.receipt ?? '').replaceAll(server.fingerprint, `4096R/${'A'.repeat(40)}`);
    await writeFile(join(directory, `${other}.receipt.asc`), foreign);
    const { deleted, warnings } = await roll(directory, 1, calm[5]?.name ?? '');
    expect(deleted).toEqual([calm[3]?.name, calm[4]?.name]);
    expect(warnings).toEqual([
      'Not counted and not deleted: 2 older sets without a good receipt of this server (ktadmin backup list)',
    ]);
    expect(await readdir(directory)).toHaveLength(2 + 3 + 2 + 1);
  });
});

test('unfinished sets and receipts without a set are swept, and nothing else', async () => {
  const name = (days: number, host = HOST) => `${setStem(host, at(days))}.tar`;
  const stay = [
    name(-9),
    `${name(-9)}.receipt.asc`,
    `${name(-8, 'kts10.example.com')}.part`,
    `${name(-8, 'kts10.example.com')}.receipt.asc`,
    'x.part',
    'x.receipt.asc',
  ];
  const go = [
    `${name(-7)}.part`,
    `${name(-7)}.receipt.asc`,
    `${name(-6)}.gpg.part`,
    `${name(-5)}.gpg.receipt.asc`,
  ];
  await withDirectory(async (directory) => {
    for (const each of [...stay, ...go]) await writeFile(join(directory, each), each);
    await mkdir(join(directory, `${name(-4)}.part`));
    await sweepUnfinished(directory, HOST);
    expect((await readdir(directory)).toSorted()).toEqual([...stay, `${name(-4)}.part`].toSorted());
  });
});
