import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure } from '../../core/errors.ts';
import { exists, syncDirectory } from '../../core/files.ts';
import { reached } from '../../core/steps.ts';
import { clusterAt, DATABASE } from '../../database/cluster.ts';
import { databaseNames, exchangeDatabase, setDatabaseAside } from './exchange.ts';
import type { Journal } from './journal.ts';

type DirectoryPart = Journal['directories'][number];
type DatabasePart = NonNullable<Journal['database']>;

const removed = (place: string, part: { kept: string; former: boolean }, staged: string) =>
  failure(
    'state',
    `${part.former ? `neither ${staged} nor ${part.kept}` : `neither ${staged} nor ${place}`} is there any more: the exchange can neither be finished nor taken back`,
    'bring back what was removed, or restore again once the journal is moved away',
  );

/** Whether what is new is in its place. Where somebody removed a part meanwhile, nobody can tell, and nothing is changed. */
async function isPlaced(part: DirectoryPart): Promise<boolean> {
  if (await exists(part.staged)) return false;
  if (!(await exists(part.former ? part.kept : part.place))) throw removed(part.place, part, part.staged);
  return true;
}

async function isDatabasePlaced(part: DatabasePart): Promise<boolean> {
  const names = await databaseNames(clusterAt(part.root, part.port));
  if (names.includes(part.loaded)) return false;
  if (!names.includes(part.former ? part.kept : DATABASE)) throw removed(DATABASE, part, part.loaded);
  return true;
}

/** What is in its place already, part by part. Changes nothing. */
export async function lookAtParts({ directories, database }: Journal) {
  const placed: boolean[] = [];
  for (const part of directories) placed.push(await isPlaced(part));
  return { directories: placed, database: database !== undefined && (await isDatabasePlaced(database)) };
}

/** A rename that outlives a power failure: the parents of both names are synced. */
async function move(from: string, to: string): Promise<void> {
  await rename(from, to);
  for (const parent of new Set([dirname(to), dirname(from)])) await syncDirectory(parent);
}

/** Puts a new directory in its place; what is there is kept. From wherever a run that died had come. */
export async function placeDirectory(part: DirectoryPart, purpose: string): Promise<void> {
  if (await isPlaced(part)) return;
  if (await exists(part.place)) {
    if (await exists(part.kept)) throw failure('conflict', `${part.kept} exists already`);
    await move(part.place, part.kept);
  }
  reached(`${purpose}-former-moved`);
  await move(part.staged, part.place);
  reached(`${purpose}-placed`);
}

/** The way back: what is new lies beside its place again, and what was kept is in it. */
export async function takeDirectoryBack(part: DirectoryPart): Promise<void> {
  if (await isPlaced(part)) await move(part.place, part.staged);
  reached('revert-taken-away');
  if (!(await exists(part.place)) && (await exists(part.kept))) await move(part.kept, part.place);
  reached('revert-put-back');
}

/** Puts a loaded database in the place of the server's, in one transaction; the former one is kept. */
export async function placeDatabase(part: DatabasePart, purpose: string): Promise<void> {
  if (await isDatabasePlaced(part)) return;
  await exchangeDatabase(clusterAt(part.root, part.port), part.loaded, part.kept);
  reached(`${purpose}-database-exchanged`);
}

/** The way back of that, in one transaction too. */
export async function takeDatabaseBack(part: DatabasePart): Promise<void> {
  const cluster = clusterAt(part.root, part.port);
  if (await isDatabasePlaced(part)) {
    const isKept = (await databaseNames(cluster)).includes(part.kept);
    if (isKept) await exchangeDatabase(cluster, part.kept, part.loaded);
    else await setDatabaseAside(cluster, part.loaded);
  }
  reached('revert-database-exchanged');
}
