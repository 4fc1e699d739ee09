import type { AuditEvent, Trail } from '../core/trail.ts';

/** How long refusals of one address are counted together; milliseconds. */
const MINUTE = 60_000;
/** Addresses that are told apart in that time; all further ones are counted together. */
const ADDRESSES = 1000;
/** What stands for the address of those. */
const OTHERS = 'others';

/** Keeps whoever sends too much from filling the audit trail, too. */
export interface FloodNotes {
  /** Writes the first refusal of an address; those that follow are only counted. */
  note(event: AuditEvent): Promise<void>;
  /** Writes how many were counted, and begins anew. */
  flush(): Promise<void>;
}

const summary = (from: string, count: number): AuditEvent => ({
  ...{ event: 'requests.refused', who: 'unknown', from, what: { count } },
  ...{ outcome: 'refused', reason: 'rate_limited' },
});

/** Makes the notes of one process of requests over a limit: of each address one line, and one at the end of the time. */
export function floodNotes(trail: Pick<Trail, 'note'>, time = MINUTE): FloodNotes {
  let counts = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    const counted = counts;
    counts = new Map();
    // A trail that cannot be written is told by the requests that belong into it.
    for (const [from, count] of counted)
      if (count > 0) await trail.note(summary(from, count)).catch(() => {});
  };
  return {
    flush,
    async note(event) {
      timer ??= setTimeout(() => void flush(), time).unref();
      const known = counts.get(event.from);
      if (known === undefined && counts.size < ADDRESSES) {
        counts.set(event.from, 0);
        return trail.note(event);
      }
      const from = known === undefined ? OTHERS : event.from;
      counts.set(from, (counts.get(from) ?? 0) + 1);
    },
  };
}
