import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { confdirFiles } from '../../core/config.ts';
import { type Configuration, readRawConfiguration } from '../../core/configuration.ts';
import { errorCode, failure } from '../../core/errors.ts';
import { writeAtomically } from '../../core/files.ts';
import { isBelow, movedText, movedTo } from '../../core/relocation.ts';
import { portSetting } from '../../database/cluster.ts';

/** In what a restored server is to differ from the one that the set was made of. */
export interface Relocation {
  /** Whether the configuration directory may be another. */
  relocate: boolean;
  pgRootdir: string | undefined;
  databasePort: number | undefined;
  externalAddress: string | undefined;
}

/** One value of `keytrustee.conf` that will not be the set's. */
export interface Change {
  key: string;
  before: unknown;
  after: unknown;
}

/** The path of the cluster: as typed; else as far from the configuration directory as before, where it lay beside it. */
function movedCluster(root: string, from: string, to: string): string {
  if (from === to) return root;
  if (isBelow(root, from)) return movedTo(root, from, to);
  return isBelow(root, dirname(from)) && dirname(from) !== '/'
    ? movedTo(root, dirname(from), dirname(to))
    : root;
}

/** The port that a cluster's own settings name: those stay when the configuration is restored, so it is the true one. */
async function portOf(root: string): Promise<number | undefined> {
  try {
    return portSetting(await readFile(join(root, 'postgresql.conf'), 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function choosePort(root: string, inSet: number, typed: number | undefined): Promise<number> {
  const present = await portOf(root);
  if (present === undefined) return typed ?? inSet;
  if (typed === undefined || typed === present) return present;
  throw failure(
    'conflict',
    `the cluster in ${root} has port ${present}, not ${typed}`,
    `leave out --database-port, or name another directory by --pg-rootdir`,
  );
}

/** What must change in the `keytrustee.conf` of a set so that the server works where it is restored to. */
export async function chooseChanges(
  configuration: Configuration,
  from: string,
  to: string,
  relocation: Relocation,
): Promise<Change[]> {
  const root = relocation.pgRootdir ?? movedCluster(configuration.PG_ROOTDIR, from, to);
  const moved: Record<string, unknown> = Object.fromEntries(
    Object.entries(configuration).map(([key, value]) => [
      key,
      typeof value === 'string' ? movedText(value, from, to) : value,
    ]),
  );
  const wanted: Record<string, unknown> = {
    ...moved,
    PG_ROOTDIR: root,
    DB_PORT: await choosePort(root, configuration.DB_PORT, relocation.databasePort),
    EXTERNAL_ADDRESS: relocation.externalAddress ?? configuration.EXTERNAL_ADDRESS,
  };
  return Object.entries(wanted)
    .map(([key, after]) => ({ key, before: configuration[key], after }))
    .filter(({ before, after }) => before !== after);
}

/** Writes the changes into a restored `keytrustee.conf`; the rest of it stays as it is. */
export async function applyChanges(confdir: string, changes: Change[]): Promise<void> {
  if (changes.length === 0) return;
  const raw = await readRawConfiguration(confdir);
  const changed = { ...raw, ...Object.fromEntries(changes.map(({ key, after }) => [key, after])) };
  await writeAtomically(confdirFiles(confdir).configuration, `${JSON.stringify(changed, null, 4)}\n`);
}
