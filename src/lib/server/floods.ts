import type { AuditEvent, Trail } from '../core/trail.ts';

/** How long refusals of one address for one reason are counted together; milliseconds. */
const MINUTE = 60_000;
/** Addresses that are told apart in that time; all further ones are counted together. */
const ADDRESSES = 1000;
/** What stands for the address of those. */
const OTHERS = 'others';

/** Keeps whoever sends too much from filling the audit trail, too. */
export interface FloodNotes {
  /** Writes the first refusal of an address for its reason; those that follow are only counted. */
  note(event: AuditEvent): Promise<void>;
  /** Writes how many were counted, and begins anew. */
  flush(): Promise<void>;
}

/** What is counted together. */
interface Count {
  from: string;
  reason: string | undefined;
  count: number;
}

const summary = ({ from, reason, count }: Count): AuditEvent => ({
  ...{ event: 'requests.refused', who: 'unknown', from, what: { count } },
  ...{ outcome: 'refused', ...(reason === undefined ? {} : { reason }) },
});

/** Makes the notes of one process of refusals that come in floods: of each address one line, and one at the end of the time. */
export function floodNotes(trail: Pick<Trail, 'note'>, time = MINUTE): FloodNotes {
  let counts = new Map<string, Count>();
  let timer: NodeJS.Timeout | undefined;
  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    const counted = counts;
    counts = new Map();
    // A trail that cannot be written is told by the requests that belong into it.
    for (const each of counted.values()) if (each.count > 0) await trail.note(summary(each)).catch(() => {});
  };
  return {
    flush,
    async note(event) {
      timer ??= setTimeout(() => void flush(), time).unref();
      const { reason } = event;
      const known = counts.get(`${event.from} ${reason}`);
      if (known === undefined && counts.size < ADDRESSES) {
        counts.set(`${event.from} ${reason}`, { from: event.from, reason, count: 0 });
        return trail.note(event);
      }
      const others = `${OTHERS} ${reason}`;
      const count = known ?? counts.get(others) ?? { from: OTHERS, reason, count: 0 };
      if (known === undefined) counts.set(others, count);
      count.count += 1;
    },
  };
}
