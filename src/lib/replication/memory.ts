import { join } from 'node:path';
import * as z from 'zod/mini';
import { readSmallFile, writeAtomically } from '../core/files.ts';
import type { Cluster } from '../database/cluster.ts';
import { replicationFiles } from '../database/replication/place.ts';

const memory = z.object({
  seen: z.nullable(z.string()),
  away: z.nullable(z.string()),
  said: z.boolean(),
  told: z.boolean(),
});

/**
 * What the watcher of a pair has to remember over a restart of the server: in which run of PostgreSQL (its start) the passive
 * was seen to be in step, since when it is away, whether that was recorded, and whether the administrators were told. Times are
 * ISO 8601.
 */
type Kept = z.infer<typeof memory>;

/** The same, with what only this process knows: for how long something lasts is not asked of a clock that somebody sets. */
export interface Memory extends Kept {
  /** When the passive went away, as `performance.now()` has it. */
  awayAt: number | null;
}

/** What there is to remember where nothing was seen. */
export const NOTHING: Memory = { seen: null, away: null, awayAt: null, said: false, told: false };

const MAXIMUM_SIZE = 4096;

const fileOf = (cluster: Pick<Cluster, 'root'>) => join(replicationFiles(cluster).directory, 'watch.json');

/** A clock that was set back meanwhile has the time begin anew. */
const agoOf = (away: string) => Math.max(0, Date.now() - Date.parse(away));

/** What the watcher remembers; nothing where the file is not there or is none. */
export async function readMemory(cluster: Pick<Cluster, 'root'>): Promise<Memory> {
  const text = await readSmallFile(fileOf(cluster), MAXIMUM_SIZE).catch(() => undefined);
  try {
    const kept = memory.parse(JSON.parse(text ?? ''));
    return { ...kept, awayAt: kept.away === null ? null : performance.now() - agoOf(kept.away) };
  } catch {
    return NOTHING;
  }
}

/** What of it outlives the process, as the file has it. */
export function keptText({ awayAt: _, ...kept }: Memory): string {
  return `${JSON.stringify(kept)}\n`;
}

/** Remembers it. */
export async function writeMemory(cluster: Pick<Cluster, 'root'>, value: Memory): Promise<void> {
  await writeAtomically(fileOf(cluster), keptText(value));
}
