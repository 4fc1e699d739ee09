import fc from 'fast-check';
import { expect, test } from 'vitest';
import { localTime, logTime, stampTime } from '../../../src/lib/core/time.ts';

const dates = fc.date({
  min: new Date('1971-01-01T00:00:00Z'),
  max: new Date('9999-12-30T00:00:00Z'),
  noInvalidDate: true,
});

test('a local time reads back as the same second', () => {
  fc.assert(
    fc.property(dates, (date) => {
      const text = localTime(date);
      expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
      // Where summer time ends, an hour has two readings; they differ by that hour and nothing else.
      const away = Math.abs(new Date(text).getTime() - Math.floor(date.getTime() / 1000) * 1000);
      expect([0, 1_800_000, 3_600_000]).toContain(away);
    }),
  );
});

test('a log time is the local time with a comma before the milliseconds', () => {
  fc.assert(
    fc.property(dates, (date) => {
      const [seconds, milliseconds] = logTime(date).split(',');
      expect(seconds).toBe(localTime(date).replace('T', ' '));
      expect(Number(milliseconds)).toBe(date.getMilliseconds());
      expect(milliseconds).toHaveLength(3);
    }),
  );
});

test('stamps are UTC and sort as times do', () => {
  expect(stampTime(new Date('2016-02-10T11:14:37.999Z'))).toBe('2016-02-10_11-14-37');
  fc.assert(
    fc.property(dates, dates, (a, b) => {
      const [earlier, later] = a <= b ? [a, b] : [b, a];
      expect(stampTime(earlier) <= stampTime(later)).toBe(true);
      const [day, time] = stampTime(a).split('_');
      expect(Date.parse(`${day}T${time?.replaceAll('-', ':')}Z`)).toBe(Math.floor(a.getTime() / 1000) * 1000);
    }),
  );
});
