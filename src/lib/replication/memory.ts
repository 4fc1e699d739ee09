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
export type Memory = z.infer<typeof memory>;

/** What there is to remember where nothing was seen. */
export const NOTHING: Memory = { seen: null, away: null, said: false, told: false };

const MAXIMUM_SIZE = 4096;

const fileOf = (cluster: Pick<Cluster, 'root'>) => join(replicationFiles(cluster).directory, 'watch.json');

/** What the watcher remembers; nothing where the file is not there or is none. */
export async function readMemory(cluster: Pick<Cluster, 'root'>): Promise<Memory> {
  const text = await readSmallFile(fileOf(cluster), MAXIMUM_SIZE).catch(() => undefined);
  try {
    return memory.parse(JSON.parse(text ?? ''));
  } catch {
    return NOTHING;
  }
}

/** Remembers it. */
export async function writeMemory(cluster: Pick<Cluster, 'root'>, value: Memory): Promise<void> {
  await writeAtomically(fileOf(cluster), `${JSON.stringify(value)}\n`);
}
