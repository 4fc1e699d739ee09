import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod/mini';
import { errorCode, failure } from '../../core/errors.ts';
import { createExclusively, exists, syncDirectory } from '../../core/files.ts';
import { shellWord } from '../../core/quote.ts';
import { reached } from '../../core/steps.ts';

const absolute = z.string().check(z.regex(/^\//));
const port = z.number().check(z.gte(1), z.lte(65_535));
/** Not every name of a database: those that a restore gives. */
const databaseName = z.string().check(z.regex(/^keytrustee_(?:new|old)_[0-9]{1,20}$/));
const counts = z.record(z.string(), z.number());

const directory = z.object({ staged: absolute, place: absolute, kept: absolute, former: z.boolean() });
const database = z.object({
  root: absolute,
  port,
  loaded: databaseName,
  /** Who the loaded one is for PostgreSQL, whatever its name. Journals of earlier versions have none. */
  oid: z.optional(z.number()),
  kept: databaseName,
  former: z.boolean(),
});

const journalSchema = z.object({
  format: z.literal(1),
  /** What the exchange is part of: `restore`, `undo`. */
  purpose: z.string().check(z.regex(/^[a-z-]{1,20}$/)),
  directories: z.array(directory).check(z.maxLength(100)),
  database: z.optional(database),
  /** What must be in place afterwards, for a run that finishes the exchange without the set. */
  expected: z.optional(z.object({ fingerprint: z.optional(z.string()), rows: z.optional(counts) })),
  /** The set that is restored. */
  set: z.optional(z.object({ fingerprint: z.string(), sequence: z.number(), created: z.string() })),
});

/**
 * What is written beside the configuration directory while parts of a server are exchanged: enough to finish, or to go
 * back, whatever the instant at which the run died. `former`: something was in the place, and is kept.
 */
export type Journal = z.infer<typeof journalSchema>;

const LIMIT = 1024 * 1024;

const partOf = (path: string) => `${path}.part`;

function unusable(path: string, why: string): Error {
  return failure(
    'failed',
    `${path} ${why}`,
    `look at it; where no restore was cut off: rm ${shellWord(path)}`,
  );
}

/** Reads a journal; undefined where no exchange is open. Only a file of this account's own counts. */
export async function readJournal(path: string): Promise<Journal | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat();
    const own = stats.isFile() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
    if (!own || stats.size > LIMIT) throw unusable(path, 'is no journal of this account');
    return parseJournal(path, await handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
}

function parseJournal(path: string, text: string): Journal {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unusable(path, 'is not JSON');
  }
  const parsed = journalSchema.safeParse(value);
  if (!parsed.success) throw unusable(path, 'is no journal of this version');
  return parsed.data;
}

/** Opens an exchange: from now on whoever comes finishes it, or goes back. A crash leaves the whole file or none. */
export async function writeJournal(path: string, journal: Journal): Promise<void> {
  if (await exists(path)) throw failure('conflict', `${path} exists: an exchange was cut off`);
  await rm(partOf(path), { force: true });
  const handle = await createExclusively(partOf(path));
  try {
    await handle.writeFile(`${JSON.stringify(journal, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  reached(`${journal.purpose}-journal-written`);
  await rename(partOf(path), path);
  await syncDirectory(dirname(path));
  reached(`${journal.purpose}-journaled`);
}

/** Closes an exchange. */
export async function removeJournal(path: string): Promise<void> {
  await rm(path);
  await syncDirectory(dirname(path));
}

/** Removes what a run left that died before its journal counted. */
export async function removeUnfinishedJournal(path: string): Promise<void> {
  await rm(partOf(path), { force: true });
}
