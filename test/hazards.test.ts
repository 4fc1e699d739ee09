/** docs/hazards.md names a test for every hazard, and each of these tests exists. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** How many hazards each part of the list has. */
const PARTS = { PG: 23, GP: 17, TA: 21, FI: 12, RT: 14, ML: 8, TL: 15, HS: 8, OP: 15, RP: 17 };
/** What has no test yet. Take away from it; add nothing. */
const OPEN = ['PG-11', 'FI-11'];

interface Row {
  hazard: string;
  where: string;
  test: string;
}

/** The table's rows; a row without a hazard goes on with the one above it. */
function rowsOf(text: string): Row[] {
  let hazard = '';
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => {
      const [id = '', , where = '', name = ''] = line
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim());
      hazard = id === '' ? hazard : id;
      return { hazard, where: where.replaceAll('`', ''), test: name };
    });
}

const rows = rowsOf(readFileSync(join(import.meta.dirname, '..', 'docs', 'hazards.md'), 'utf8'));

/** What is wrong with a row: nothing, or a line that says it. */
function fault({ hazard, where, test: name }: Row): string[] {
  if (where === '')
    return /^(?:does not apply|open): ./.test(name) ? [] : [`${hazard}: no test and no reason`];
  try {
    const source = readFileSync(join(import.meta.dirname, where), 'utf8');
    const quoted = [`'${name}'`, `"${name}"`, `\`${name}\``];
    return quoted.some((each) => source.includes(each)) ? [] : [`${hazard}: ${where} has no test "${name}"`];
  } catch {
    return [`${hazard}: there is no ${where}`];
  }
}

test('every hazard of the list stands in the table once, in order', () => {
  const all = Object.entries(PARTS).flatMap(([part, count]) =>
    Array.from({ length: count }, (_, index) => `${part}-${index + 1}`),
  );
  expect([...new Set(rows.map(({ hazard }) => hazard))]).toEqual(all);
});

test('every test that the table names exists', () => {
  expect(rows.flatMap(fault)).toEqual([]);
  const [first] = rows;
  expect(fault({ ...(first as Row), test: 'a pg_dump that' })).toHaveLength(1);
  expect(fault({ ...(first as Row), where: 'nowhere.test.ts' })).toHaveLength(1);
  expect(fault({ ...(first as Row), where: '', test: '' })).toHaveLength(1);
});

test('what has no test yet is known, and does not grow', () => {
  const open = rows.filter((row) => row.test.startsWith('open: ')).map(({ hazard }) => hazard);
  expect(open).toEqual(OPEN);
});
