import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginning, beginningOf, isSetName, setStem } from '../../../src/lib/backups/name.ts';

const host = fc.stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,30}[A-Za-z0-9])?$/);
const time = fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true });
const number = fc.integer({ min: 0, max: 999 });
const ending = fc.constantFrom('.tar', '.tar.gpg');

test('the name is the original’s', () => {
  expect(setStem('kts01.example.com', new Date('2016-02-10T11:14:37.999Z'))).toBe(
    'kts_bak_kts01_example_com_2016-02-10_11-14-37',
  );
  expect(setStem('KTS01.Example.com', new Date('2016-02-10T11:14:37Z'), 2)).toBe(
    'kts_bak_kts01_example_com_2016-02-10_11-14-37-2',
  );
});

test('every name that is made is read again, and names its host', () => {
  fc.assert(
    fc.property(host, time, number, ending, (name, when, which, tail) => {
      const made = `${setStem(name, when, which)}${tail}`;
      expect(isSetName(name, made)).toBe(true);
      expect(beginningOf(made)).toBe(beginning(name));
    }),
  );
});

test('no host reads a set of another host', () => {
  fc.assert(
    fc.property(host, host, time, ending, (mine, other, when, tail) => {
      fc.pre(mine.toLowerCase() !== other.toLowerCase());
      expect(isSetName(mine, `${setStem(other, when)}${tail}`)).toBe(false);
    }),
  );
});

test.each([
  'kts_bak_kts10_example_com_2016-02-10_11-14-37.tar',
  'kts_bak_kts1_example_com_2016-02-10_11-14-37.tar.part',
  'kts_bak_kts1_example_com_2016-02-10_11-14-37.sql',
  'xkts_bak_kts1_example_com_2016-02-10_11-14-37.tar',
  'kts_bak_kts1_example_com_2016-02-10_11-14-37.tar\n',
  'kts_bak_kts1xexample_com_2016-02-10_11-14-37.tar',
  'kts_bak_kts1_example_com_2016-2-10_11-14-37.tar',
  'notes.txt',
])('%j is no set of kts1.example.com', (name) => {
  expect(isSetName('kts1.example.com', name)).toBe(false);
});
