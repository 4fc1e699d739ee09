/** One thing that happened, for the audit trail. It never holds a secret: no code, token, password or content. */
export interface AuditEvent {
  /** What happened: `deposit.put`, `client.register`, `organization.add` … */
  event: string;
  /** Who did it: `client:<fingerprint>`, `contact:<address>`, `account:<name>`, or `unknown`. */
  who: string;
  /** The network address that it came from, or `local` for a command on the host. */
  from: string;
  /** What it was done to: names, identifiers, sizes. */
  what: Record<string, string | number | boolean | null>;
  outcome: 'done' | 'refused' | 'failed';
  /** Why it was refused or failed, in one of the program's own words. */
  reason?: string;
}

/**
 * Where things that happened are written. A change is recorded inside its transaction, before the commit, so that nothing
 * changes that is not in the trail; when the trail cannot be written, both reject, and so must what they belong to.
 */
export interface Trail {
  /** Resolves when the event is on the disk. */
  change(event: AuditEvent): Promise<void>;
  /** Resolves when the event is written; within a second it is on the disk. For reads and refusals. */
  note(event: AuditEvent): Promise<void>;
}

/** A trail that is open: nobody else writes to it until it is closed. */
export interface OpenTrail extends Trail {
  /** Rejects where nothing could be recorded now, with the reason: for readiness. */
  check(): Promise<void>;
  /** At a reload: goes over to a new file where the old one was removed or changed, and records what is missing; tells why. */
  reopen(): Promise<string | undefined>;
  /** Writes what waits, brings it to the disk and lets go. */
  close(): Promise<void>;
}

/** Who causes what is done, for the audit trail: the two fields of every event. */
export type Actor = Pick<AuditEvent, 'who' | 'from'>;

/** What a function that changes something needs to record it: where, and who causes it. */
export interface Recorder {
  trail: Trail;
  actor: Actor;
}

/** Records a change inside its transaction, before the commit. */
export async function recordChange(
  { trail, actor }: Recorder,
  event: string,
  what: AuditEvent['what'],
): Promise<void> {
  await trail.change({ event, ...actor, what, outcome: 'done' });
}
