import fc from 'fast-check';
import { expect, test } from 'vitest';
import { distance, nearest } from '../../../src/lib/setup/nearest.ts';

const words = fc.string({ maxLength: 12 });

test('the distance of words is a metric', () => {
  fc.assert(
    fc.property(words, words, words, (a, b, c) => {
      expect(distance(a, a)).toBe(0);
      expect(distance(a, b) === 0).toBe(a === b);
      expect(distance(a, b)).toBe(distance(b, a));
      expect(distance(a, c)).toBeLessThanOrEqual(distance(a, b) + distance(b, c));
      expect(distance(a, '')).toBe(a.length);
    }),
  );
  expect(distance('kitten', 'sitting')).toBe(3);
});

test('a slip of a quarter of the letters is forgiven, and no more', () => {
  const known = ['PORT', 'DB_PORT', 'EXTERNAL_ADDRESS'];
  expect(nearest('EXTRNAL_ADRESS', known)).toBe('EXTERNAL_ADDRESS');
  expect(nearest('Port', known)).toBe('PORT');
  expect(nearest('PROT', known)).toBe(undefined);
  expect(nearest('DBPROT', ['ADDRESS'])).toBe(undefined);
  expect(nearest('', known)).toBe(undefined);
});
