import { stampTime } from '../core/time.ts';

/** What a set's name says. */
export interface SetName {
  name: string;
  stamp: string;
  /** Counts sets of one second, from 0. */
  number: number;
}

const hostPart = (host: string) => host.toLowerCase().replaceAll('.', '_');

/** The name of a set without its ending: `kts_bak_kts01_example_com_2016-02-10_11-14-37` (time in UTC). */
export function setStem(host: string, time: Date, number = 0): string {
  return `kts_bak_${hostPart(host)}_${stampTime(time)}${number === 0 ? '' : `-${number}`}`;
}

/** Reads the name of one of a host's sets; undefined for any other file, another host's sets among them. */
export function parseSetName(host: string, name: string): SetName | undefined {
  const escaped = hostPart(host).replace(/[^a-z0-9_]/g, '\\$&');
  const pattern = new RegExp(
    `^kts_bak_${escaped}_(\\d{4}-\\d\\d-\\d\\d_\\d\\d-\\d\\d-\\d\\d)(?:-(\\d{1,4}))?\\.tar(?:\\.gpg)?$`,
  );
  const match = pattern.exec(name);
  return match?.[1] === undefined ? undefined : { name, stamp: match[1], number: Number(match[2] ?? 0) };
}

/** Oldest first. */
export function compareSetNames(a: SetName, b: SetName): number {
  return a.stamp === b.stamp ? a.number - b.number : a.stamp < b.stamp ? -1 : 1;
}
