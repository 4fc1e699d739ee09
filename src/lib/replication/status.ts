import { type Facts, gatherFacts, type Seen, type Site } from './facts.ts';
import { judge } from './judge.ts';
import type { Receiver, Sender, Slot } from './look.ts';
import { isInStep, type Parts, partsOf, roleOf, type SeenRole } from './parts.ts';
import type { Remark } from './remark.ts';

/** A server of the pair, as `ha status` tells of it. */
export interface ServerStatus {
  /** Whether it is the one on which the command runs. */
  here: boolean;
  id: string | null;
  host: string;
  port: number;
  /** Whether its PostgreSQL answers, and why not. */
  reachable: boolean;
  reason: string | null;
  /** Whether it answers over HTTPS; null where its port is not known. */
  serves: boolean | null;
  role: SeenRole;
  inRecovery: boolean | null;
  fingerprint: string | null;
  version: string | null;
  postgresql: string | null;
  timeline: number | null;
  epoch: number | null;
  /** Where its log ends, or is applied. */
  position: string | null;
  /** Of an active server: its passive one, and what is kept for it. */
  passive: Sender | null;
  slot: Slot | null;
  /** Of a passive server. */
  receiver: Receiver | null;
}

/** The truth of a pair from both sides. */
export interface PairStatus {
  /** The code of the first remark. */
  state: string;
  /** Whether the pair takes writes now; null where no active server could be asked. */
  writes: boolean | null;
  /** HA_WRITE_POLICY of the active server. */
  policy: string;
  sync: 'on' | 'off' | 'degraded' | null;
  epoch: number | null;
  /** Since when the passive is away, where the active server is this one and runs. */
  awaySince: string | null;
  degradedSince: string | null;
  certificateExpires: string | null;
  servers: ServerStatus[];
  remarks: Remark[];
}

function serverStatus(seen: Seen, { active, sender, slot }: Parts): ServerStatus {
  const { here, id, host, port, look, reason, pair, served, fingerprint, version } = seen;
  const serves = served === null && !seen.isHttpsKnown ? null : served !== null;
  return {
    ...{ here, id, host, port, reachable: look !== null, reason, serves },
    ...{ role: roleOf(seen), inRecovery: look?.inRecovery ?? null, fingerprint, version },
    ...{ postgresql: look?.postgresql ?? null, timeline: look?.timeline ?? null },
    ...{ epoch: pair?.epoch ?? null, position: look?.position ?? null },
    passive: (seen === active ? sender : undefined) ?? null,
    slot: (seen === active ? slot : undefined) ?? null,
    receiver: look?.receiver ?? null,
  };
}

function syncOf({ active }: Parts): PairStatus['sync'] {
  if (active === undefined) return null;
  if (active.look.synchronous !== null) return 'on';
  return active.look.degraded === null ? 'off' : 'degraded';
}

function takesWrites({ own }: Facts, { active, sender }: Parts): boolean | null {
  if (active !== undefined) return active.look.synchronous === null || isInStep(sender);
  return roleOf(own) === 'alone' ? own.look?.hasDatabase === true : null;
}

/** What `ha status` tells, out of what was found. */
export function statusOf(facts: Facts): PairStatus {
  const parts = partsOf(facts);
  const remarks = judge(facts, parts);
  const { active } = parts;
  const pair = active?.pair ?? facts.own.pair;
  const degraded = active?.look.degraded?.split(' ')[1] ?? null;
  const servers = facts.other === null ? [facts.own] : [facts.own, facts.other];
  return {
    state: remarks[0]?.code ?? 'unknown',
    writes: takesWrites(facts, parts),
    policy: active === undefined || active.here ? facts.policy : (pair?.policy ?? facts.policy),
    ...{ sync: syncOf(parts), epoch: pair?.epoch ?? null },
    awaySince: active?.here === true && parts.sender === undefined ? facts.away : null,
    degradedSince: active?.look.synchronous === null ? degraded : null,
    certificateExpires: facts.certificateEnds?.toISOString() ?? null,
    servers: servers.map((seen) => serverStatus(seen, parts)),
    remarks,
  };
}

/** Looks at both servers of the pair that this one belongs to, and says what there is to do. */
export async function pairStatus(site: Site): Promise<PairStatus> {
  return statusOf(await gatherFacts(site));
}
