/** Every interval means the same to cron and to systemd: the same times, evenly spread. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { INTERVAL_NAMES, timesOf } from '../../../../src/lib/backups/schedule/intervals.ts';

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
const MINUTES = { m: 1, h: 60, d: 1440, w: 10_080 };
const HOSTS = ['kts01.example.com', 'kts02.example.com', 'a'];

function minutesOf(interval: string): number {
  return Number.parseInt(interval, 10) * MINUTES[interval.at(-1) as keyof typeof MINUTES];
}

/** The values of one field of a crontab, as crontab(5) has them. */
function values(field: string, most: number): number[] {
  const [, from, to, step] = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(field) ?? expect.fail(field);
  const first = Number(from ?? 0);
  const last = to === undefined && from !== undefined ? first : Number(to ?? most);
  return Array.from({ length: most + 1 }, (_, value) => value).filter(
    (value) => value >= first && value <= last && (value - first) % Number(step ?? 1) === 0,
  );
}

/** The minutes of a week, from Sunday on, in which cron would run a line. */
function cronMinutes(line: string): number[] {
  const [minute = '', hour = '', day, month, weekday = ''] = line.split(' ');
  expect([day, month]).toEqual(['*', '*']);
  return values(weekday, 6).flatMap((d) =>
    values(hour, 23).flatMap((h) => values(minute, 59).map((m) => d * 1440 + h * 60 + m)),
  );
}

test.each(INTERVAL_NAMES)('cron runs %s as often as it says, evenly', (interval) => {
  for (const host of HOSTS) {
    const minutes = cronMinutes(timesOf(interval, host).cron);
    const step = minutesOf(interval);
    expect(minutes).toHaveLength(10_080 / step);
    expect(minutes.every((minute, index) => index === 0 || minute - (minutes[index - 1] ?? 0) === step)).toBe(
      true,
    );
  }
});

test.skipIf(!hasSystemd).each(INTERVAL_NAMES)(
  'systemd runs %s in the same minutes as cron (skipped without systemd-analyze)',
  (interval) => {
    const { cron, calendar } = timesOf(interval, 'kts01.example.com');
    const minutes = cronMinutes(cron);
    const args = ['calendar', `--iterations=${minutes.length}`, '--base-time=2026-02-07 23:59:59', calendar];
    const { stdout, stderr } = spawnSync('systemd-analyze', args, {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
    });
    expect(stderr).toBe('');
    const times = [...stdout.matchAll(/(\d{4}-\d\d-\d\d) (\d\d:\d\d):00/g)].map(([, day, time]) =>
      Date.parse(`${day}T${time}Z`),
    );
    const sunday = Date.parse('2026-02-08T00:00Z');
    expect(times.map((time) => (time - sunday) / 60_000)).toEqual(minutes);
  },
);

test('hosts begin in minutes of their own, each always in the same', () => {
  const minute = (host: string) => timesOf('1h', host).cron.split(' ')[0];
  expect(new Set(Array.from({ length: 40 }, (_, index) => minute(`kts${index}`))).size).toBeGreaterThan(20);
  expect(minute('kts01')).toBe(minute('kts01'));
});
