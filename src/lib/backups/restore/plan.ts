import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { currentAccount } from '../../core/account.ts';
import { confdirFiles } from '../../core/config.ts';
import { readRawConfiguration } from '../../core/configuration.ts';
import { failure } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import { shellWord } from '../../core/quote.ts';
import { type Cluster, checkSocketPath, clusterAt, clusterExists } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { serverPid } from '../../database/lock-file.ts';
import { elsewhere, NO_RESTORE } from '../../database/source.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import type { SetContents } from './contents.ts';
import { refuseNow } from './refuse.ts';
import { type Change, chooseChanges, type Relocation } from './relocate.ts';

/** What a restore will replace, for the person who is asked. */
export interface RestorePlan {
  created: string;
  host: string;
  fingerprint: string;
  confdir: string;
  /** Whether this host has a server of that fingerprint to compare the set with, or of another one that is replaced. */
  isKnown: boolean;
  replacesConfdir: boolean;
  /** Values of `keytrustee.conf` that will not be the set's. */
  changes: Change[];
  cluster: Cluster;
  makesCluster: boolean;
  rows: Record<string, number>;
  /** The name in the set by which clients reach its server, where it is not this host's: neither before nor by its own name. */
  otherAddress: string | undefined;
  /** Rows that are there now; undefined where there is no database, or it does not run. */
  currentRows: Record<string, number> | undefined;
}

/** What was typed for a restore. */
export interface RestoreWishes extends Relocation {
  force: boolean;
}

async function currentFingerprint(confdir: string): Promise<string | undefined> {
  if (!(await exists(confdirFiles(confdir).configuration))) return undefined;
  try {
    const raw = await readRawConfiguration(confdir);
    const { LOCAL_FINGERPRINT: fingerprint } = raw;
    return typeof fingerprint === 'string' ? fingerprint : undefined;
  } catch {
    // A damaged configuration is a reason to restore, not an obstacle to it.
    return undefined;
  }
}

/** Refuses a set that somebody else signed than was named on the command line. */
export function checkSigner({ manifest }: SetContents, expected: string | undefined): void {
  if (expected === undefined || bareFingerprint(manifest.fingerprint) === expected) return;
  throw failure(
    'untrusted',
    `the set was signed by ${manifest.fingerprint}, and not by ${expected}`,
    'use another backup set',
  );
}

/** Refuses a set of another server, or one that was made from another directory, unless that is what is wanted. */
async function checkOrigin(
  { manifest }: SetContents,
  confdir: string,
  { force, relocate }: RestoreWishes,
): Promise<void> {
  if (manifest.confdir !== confdir && !relocate) {
    throw failure(
      'conflict',
      `the set was made from ${manifest.confdir}, not from ${confdir}`,
      `give --confdir ${shellWord(manifest.confdir)}, or --relocate to restore it into ${shellWord(confdir)}`,
    );
  }
  const current = await currentFingerprint(confdir);
  if (current === undefined || current === manifest.fingerprint || force) return;
  throw failure(
    'untrusted',
    `the set belongs to another server: ${manifest.fingerprint}, and this one is ${current}`,
    'to replace this server by that one, add --force',
  );
}

/** A set of one server of a pair can be restored on the host of the other one, which then takes itself for it. */
async function otherAddress(
  address: string,
  confdir: string,
  { externalAddress }: RestoreWishes,
): Promise<string | undefined> {
  const raw: Record<string, unknown> = await readRawConfiguration(confdir).catch(() => ({}));
  const { EXTERNAL_ADDRESS: present } = raw;
  const isOwn = [externalAddress, present, hostname(), 'localhost'].some(
    (name) => typeof name === 'string' && isSameHost(name, address),
  );
  return isOwn ? undefined : address;
}

/** A host may know itself by the first part of its name alone. */
function isSameHost(name: string, address: string): boolean {
  const [own, its] = [name.toLowerCase(), address.toLowerCase()];
  return own === its || (!own.includes('.') && its.startsWith(`${own}.`));
}

async function isWritable(directory: string): Promise<boolean> {
  return access(directory, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Both directories are exchanged by a rename, which needs the right to write in the directory above. */
export async function checkParent(confdir: string): Promise<void> {
  const parent = dirname(confdir);
  if (await isWritable(parent)) return;
  const { name } = currentAccount();
  throw failure(
    'permission',
    `${parent} cannot be written by ${name}, so nothing in it can be exchanged`,
    `as root: chown ${name}: ${shellWord(parent)}`,
  );
}

/** A database that is to be made needs a directory that this account can make, or write to. */
async function checkClusterPlace({ root }: Cluster): Promise<void> {
  let place = root;
  while (!(await exists(place)) && place !== dirname(place)) place = dirname(place);
  if (await isWritable(place)) return;
  const { name } = currentAccount();
  throw failure(
    'permission',
    `${root}, where the database lies, cannot be made by ${name}`,
    `as root: install -d -m 700 -o ${name} ${shellWord(root)}`,
  );
}

/** Moving a server must not take over the database of another, which may be the one that the set was made of. */
async function checkForeignCluster(cluster: Cluster, confdir: string): Promise<void> {
  const raw: Record<string, unknown> = await readRawConfiguration(confdir).catch(() => ({}));
  const { PG_ROOTDIR: own } = raw;
  if (own === cluster.root) return;
  throw failure(
    'conflict',
    `${cluster.root} holds a database already, and it is not that of ${confdir}`,
    'give --pg-rootdir DIR, a directory for the database of this server',
  );
}

async function lookAtRows(cluster: Cluster): Promise<Record<string, number> | undefined> {
  if ((await serverPid(cluster)) === undefined) return undefined;
  return withDatabase(cluster, countRows).catch(() => undefined);
}

/** Where others run the database of the server that is there, it is not this program that puts it back. */
export async function refuseElsewhere(confdir: string): Promise<void> {
  const raw: Record<string, unknown> = await readRawConfiguration(confdir).catch(() => ({}));
  if (raw.DATABASE_URLS !== undefined) throw elsewhere(NO_RESTORE);
}

/** Finds out what a restore would replace. Changes nothing. */
export async function planRestore(
  contents: SetContents,
  confdir: string,
  wishes: RestoreWishes,
): Promise<RestorePlan> {
  await refuseElsewhere(confdir);
  await checkOrigin(contents, confdir, wishes);
  if (await exists(dirname(confdir))) await checkParent(confdir);
  const { manifest, configuration } = contents;
  const changes = await chooseChanges(configuration, manifest.confdir, confdir, wishes);
  const effective = (key: string) =>
    changes.find((change) => change.key === key)?.after ?? configuration[key];
  const cluster = clusterAt(String(effective('PG_ROOTDIR')), Number(effective('DB_PORT')));
  checkSocketPath(cluster);
  const makesCluster = !(await clusterExists(cluster));
  if (makesCluster) await checkClusterPlace(cluster);
  else if (wishes.relocate || wishes.pgRootdir !== undefined) await checkForeignCluster(cluster, confdir);
  if (!makesCluster) await refuseNow(cluster);
  return {
    created: manifest.created,
    host: manifest.host,
    fingerprint: manifest.fingerprint,
    confdir,
    isKnown: (await currentFingerprint(confdir)) !== undefined,
    replacesConfdir: await exists(confdir),
    changes,
    cluster,
    makesCluster,
    rows: manifest.database.rows,
    otherAddress: await otherAddress(String(effective('EXTERNAL_ADDRESS')), confdir, wishes),
    currentRows: makesCluster ? undefined : await lookAtRows(cluster),
  };
}
