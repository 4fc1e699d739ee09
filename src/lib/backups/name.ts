import { stampTime } from '../core/time.ts';

/** Whose sets: a server's, by its host name, or the directories of a client's host. They never count for each other. */
export type SetHost = string | { client: string };

/** How the names of a client's sets begin; those of a server's begin with `kts_bak_`. */
export const CLIENT_PREFIX = 'ktc_bak_';

/** The name of the host itself. */
export function hostName(host: SetHost): string {
  return typeof host === 'string' ? host : host.client;
}

/** How the names of a host's sets begin. */
export function beginning(host: SetHost): string {
  const prefix = typeof host === 'string' ? 'kts_bak_' : CLIENT_PREFIX;
  return `${prefix}${hostName(host).toLowerCase().replaceAll('.', '_')}`;
}

/** The name of a set without its ending: `kts_bak_kts01_example_com_2016-02-10_11-14-37` (time in UTC). */
export function setStem(host: SetHost, time: Date, number = 0): string {
  return `${beginning(host)}_${stampTime(time)}${number === 0 ? '' : `-${number}`}`;
}

/** Whether a file's name is that of one of a host's sets; another host's is not. */
export function isSetName(host: SetHost, name: string): boolean {
  return beginningOf(name) === beginning(host);
}

/** How the name of a set begins, which names its host; undefined for a file that is no set. */
export function beginningOf(name: string): string | undefined {
  return /^(kt[sc]_bak_.+)_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?:-\d{1,4})?\.tar(?:\.gpg)?$/.exec(name)?.[1];
}
