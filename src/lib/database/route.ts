import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseHost } from '../core/database-url.ts';
import { askHost, type Found, type Silent } from './host.ts';
import { refuseStrangers, whyNone } from './no-host.ts';

/** Once a host that takes writes is found the others are waited for only so long: one of them may be a newer one. */
const GRACE = 100;

/** How long an answer counts where nobody takes writes, so that many who ask do not ask the hosts as often; milliseconds. */
const KNOWN = 250;

/** Knows which host of a cluster takes writes, and finds the new one after a failover. One for each process. */
export interface Route {
  /** The host that takes writes. Fails with `unreachable` where there is none now. */
  primary(): Promise<Found>;
  /** The host that takes writes, else the one that has the most of what was written. */
  anywhere(): Promise<Found>;
  /** What was found last to take writes, and has not failed since. */
  known(): Found | undefined;
  /** Says that a host failed, or takes no writes any more. */
  forget(found: Found | undefined): void;
  /** Asks every host; a patient one waits for all of them. */
  survey(how: { patient: boolean }): Promise<(Found | Silent)[]>;
}

const answers = (all: (Found | Silent)[]) => all.filter((one) => 'config' in one);

/** Of two that take writes, as while a failover goes on, the one that was promoted last. */
const writable = (all: (Found | Silent)[]) =>
  answers(all)
    .filter(({ isPassive }) => !isPassive)
    .toSorted((a, b) => b.timeline - a.timeline || b.position - a.position)[0];

const furthest = (all: (Found | Silent)[]) => answers(all).toSorted((a, b) => b.position - a.position)[0];

/** Asks all hosts at once, so that one that hangs does not hold up the others. */
async function askAll(
  hosts: DatabaseHost[],
  passwordFile: string | undefined,
  { patient }: { patient: boolean },
): Promise<(Found | Silent)[]> {
  const all: (Found | Silent)[] = hosts.map((host) => ({ host, error: new Error('timeout') }));
  let found = () => undefined as unknown;
  const isFound = new Promise((resolve) => {
    found = () => resolve(delay(GRACE, undefined, { ref: false }));
  });
  const asked = hosts.map(async (host, index) => {
    const answer = await askHost(host, passwordFile);
    all[index] = answer;
    if ('config' in answer && !answer.isPassive && !patient) found();
  });
  await Promise.race([Promise.all(asked), isFound]);
  return [...all];
}

/** Opens the way to a cluster; nothing is asked yet. */
export function openRoute(hosts: DatabaseHost[], passwordFile: string | undefined): Route {
  let known: Found | undefined;
  let last: { all: (Found | Silent)[]; until: number } | undefined;
  let looking: Promise<(Found | Silent)[]> | undefined;
  const survey = (how: { patient: boolean }) => askAll(hosts, passwordFile, how);
  async function look(): Promise<(Found | Silent)[]> {
    if (last !== undefined && performance.now() < last.until) return last.all;
    looking ??= survey({ patient: false }).finally(() => {
      looking = undefined;
    });
    const all = await looking;
    refuseStrangers(answers(all));
    known = writable(all);
    last = known === undefined ? { all, until: performance.now() + KNOWN } : undefined;
    return all;
  }
  return {
    survey,
    known: () => known,
    forget(found) {
      if (found === known) known = undefined;
      last = undefined;
    },
    async primary() {
      if (known !== undefined) return known;
      const all = await look();
      const found = known ?? writable(all);
      if (found === undefined) throw whyNone(all);
      return found;
    },
    async anywhere() {
      if (known !== undefined) return known;
      const all = await look();
      const found = known ?? writable(all) ?? furthest(all);
      if (found === undefined) throw whyNone(all);
      return found;
    },
  };
}
