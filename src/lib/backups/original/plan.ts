import { basename, dirname, join } from 'node:path';
import { readRawConfiguration } from '../../core/configuration.ts';
import { failure } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import { type Cluster, checkSocketPath, clusterAt, clusterExists } from '../../database/cluster.ts';
import { checkParent, refuseElsewhere } from '../restore/plan.ts';
import { refuseNow } from '../restore/refuse.ts';
import { type Additions, type CompletedConfiguration, completeConfiguration } from './configuration.ts';
import { hasOwnTables } from './database.ts';
import { hasOldKeys } from './keys.ts';
import type { UnsignedSet } from './set.ts';

/** What is wanted of an unsigned set. */
export interface UnsignedRequest extends Omit<Additions, 'present'> {
  /** Whether the set is taken although nobody signed it. */
  unsigned: boolean;
  /** Whether another server may be replaced. */
  force: boolean;
  /** Whether a dump of other tables is loaded into a database of its own, and not just kept. */
  loadDump: boolean;
}

/** What a restore of an unsigned set will do, for the person who is asked. */
export interface UnsignedPlan {
  fingerprint: string;
  confdir: string;
  configuration: CompletedConfiguration;
  replacesConfdir: boolean;
  migratesKeys: boolean;
  cluster: Cluster;
  makesCluster: boolean;
  /** What becomes of the dump: the server's database, one beside it, or the path of a file. */
  dump: 'own' | 'beside' | { path: string };
  rows: Record<string, number>;
}

async function presentConfiguration(confdir: string): Promise<Record<string, unknown>> {
  // A damaged configuration is a reason to restore, not an obstacle to it.
  return readRawConfiguration(confdir).catch(() => ({}));
}

function refuseOther(set: UnsignedSet, present: Record<string, unknown>, force: boolean): void {
  const { LOCAL_FINGERPRINT: current } = present;
  if (force || typeof current !== 'string' || current.toUpperCase() === set.fingerprint) return;
  throw failure(
    'untrusted',
    `the set belongs to another server: ${set.fingerprint}, and this one is ${current}`,
    'to replace this server by that one, add --force',
  );
}

async function planDump(
  set: UnsignedSet,
  { confdir, loadDump }: UnsignedRequest,
): Promise<UnsignedPlan['dump']> {
  if (hasOwnTables(set)) return 'own';
  if (loadDump) return 'beside';
  const path = join(dirname(confdir), basename(set.dump.path));
  if (await exists(path)) throw failure('conflict', `${path} is there already`, 'move it away');
  return { path };
}

/** Finds out what a restore of an unsigned set would do. Changes nothing. */
export async function planUnsigned(set: UnsignedSet, request: UnsignedRequest): Promise<UnsignedPlan> {
  const { confdir } = request;
  await refuseElsewhere(confdir);
  const present = await presentConfiguration(confdir);
  refuseOther(set, present, request.force);
  await checkParent(confdir);
  const configuration = await completeConfiguration(set, { ...request, present });
  const cluster = clusterAt(configuration.PG_ROOTDIR, configuration.DB_PORT);
  checkSocketPath(cluster);
  await refuseNow(cluster);
  return {
    fingerprint: set.fingerprint,
    confdir,
    configuration,
    replacesConfdir: await exists(confdir),
    migratesKeys: hasOldKeys(set),
    cluster,
    makesCluster: !(await clusterExists(cluster)),
    dump: await planDump(set, request),
    rows: Object.fromEntries(set.rows),
  };
}

/** Refuses a set that nobody signed unless that is what is wanted. */
export function refuseUnsigned({ unsigned }: Pick<UnsignedRequest, 'unsigned'>): void {
  if (unsigned) return;
  throw failure(
    'untrusted',
    'nobody signed this set: whoever could write it may have changed anything in it, the keys among it',
    'if you know where it comes from, add --unsigned',
  );
}
