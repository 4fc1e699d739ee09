import { createHash } from 'node:crypto';

/** When a schedule runs: the five fields of a cron line, and the same as `OnCalendar` of a systemd timer. */
export interface Times {
  cron: string;
  calendar: string;
}

const everyMinutes =
  (step: number) =>
  (minute: number): Times => ({
    cron: `${minute % step}-59/${step} * * * *`,
    calendar: `*-*-* *:${two(minute % step)}/${step}:00`,
  });

const everyHours =
  (step: number) =>
  (minute: number): Times => ({
    cron: `${minute} ${step === 1 ? '*' : `*/${step}`} * * *`,
    calendar: `*-*-* ${step === 1 ? '*' : `00/${step}`}:${two(minute)}:00`,
  });

const two = (value: number) => String(value).padStart(2, '0');

/** Four in the morning: after the hour that summer time skips or repeats. */
const INTERVALS = {
  '5m': everyMinutes(5),
  '10m': everyMinutes(10),
  '15m': everyMinutes(15),
  '20m': everyMinutes(20),
  '30m': everyMinutes(30),
  '1h': everyHours(1),
  '2h': everyHours(2),
  '3h': everyHours(3),
  '4h': everyHours(4),
  '6h': everyHours(6),
  '8h': everyHours(8),
  '12h': everyHours(12),
  '1d': (minute: number): Times => ({ cron: `${minute} 4 * * *`, calendar: `*-*-* 04:${two(minute)}:00` }),
  '1w': (minute: number): Times => ({
    cron: `${minute} 4 * * 0`,
    calendar: `Sun *-*-* 04:${two(minute)}:00`,
  }),
} satisfies Record<string, (minute: number) => Times>;

export type Interval = keyof typeof INTERVALS;

/** Every interval that cron and systemd can both keep exactly. */
export const INTERVAL_NAMES = Object.keys(INTERVALS) as Interval[];

/** The times of an interval, in a minute that depends on the host's name, so that many hosts do not begin all at once. */
export function timesOf(interval: Interval, host: string): Times {
  return INTERVALS[interval](createHash('sha256').update(host).digest().readUInt32BE() % 60);
}
