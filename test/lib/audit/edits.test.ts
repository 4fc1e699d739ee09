/** Whatever is done to a trail that is closed, verify finds it. */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { openTrail } from '../../../src/lib/audit/open.ts';
import { faultsOf, someEvent, trailOptions } from '../../support/audit.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

let whole = '';
let names: string[] = [];

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  whole = join(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), 'audit');
  for (const stream of ['command', 'server-1']) {
    const trail = await openTrail(whole, stream, trailOptions({ fileBytes: 1000 }));
    for (let number = 0; number < 12; number += 1) await trail.change(someEvent(number));
    await trail.close();
  }
  names = (await readdir(whole)).toSorted();
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const index = fc.nat({ max: 100_000 });

/** What can be done to the text of a file; undefined: the file is removed. */
type Edit = (text: string, a: number, b: number) => string | undefined;

const lines = (text: string) => text.trimEnd().split('\n');
const joined = (all: string[]) => all.map((line) => `${line}\n`).join('');

const EDITS: Record<string, Edit> = {
  remove: () => undefined,
  empty: () => '',
  'change a character': (text, a) => {
    const at = a % text.length;
    return `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
  },
  cut: (text, a) => text.slice(0, a % text.length),
  'take a line out': (text, a) => joined(lines(text).toSpliced(a % lines(text).length, 1)),
  'double a line': (text, a) => {
    const at = a % lines(text).length;
    return joined(lines(text).toSpliced(at, 0, lines(text)[at] ?? ''));
  },
  'exchange two lines': (text, a, b) => {
    const all = lines(text);
    const [from, to] = [a % all.length, b % all.length];
    return joined(all.with(from, all[to] ?? '').with(to, all[from] ?? ''));
  },
  'put a line in': (text, a) => {
    const all = lines(text);
    const copy = { ...JSON.parse(all[a % all.length] ?? '{}'), who: 'client:B' };
    return joined(all.toSpliced(a % all.length, 0, JSON.stringify(copy)));
  },
};

test('a trail that nobody touched is whole', async () => {
  expect(names.filter((name) => name.endsWith('.seal.asc')).length).toBeGreaterThan(3);
  expect(await faultsOf(whole)).toEqual([]);
});

test('every edit is found: removed, cut, changed, doubled, moved, put in', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(EDITS)),
      index,
      index,
      index,
      async (kind, which, a, b) => {
        const isOfLines = kind.includes('line');
        const able = names.filter((name) => !isOfLines || name.endsWith('.jsonl'));
        const name = able[which % able.length] ?? '';
        // What the head record says of seals serves the program that makes them.
        const before = (await readFile(join(whole, name), 'utf8')).slice(
          0,
          name.endsWith('.head') ? 90 : undefined,
        );
        const after = EDITS[kind]?.(before, a, b);
        if (after === before) return;
        const copy = `${whole}-copy`;
        await cp(whole, copy, { recursive: true });
        try {
          if (after === undefined) await rm(join(copy, name));
          else await writeFile(join(copy, name), name.endsWith('.head') ? `${after} 00000009\n` : after);
          expect(await faultsOf(copy), `${kind} ${name}`).not.toEqual([]);
        } finally {
          await rm(copy, { recursive: true });
        }
      },
    ),
    { numRuns: 15 },
  );
});
