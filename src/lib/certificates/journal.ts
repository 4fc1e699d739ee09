import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../core/errors.ts';
import { readSmallFile, replaceFile, syncDirectory } from '../core/files.ts';
import type { PairFiles } from '../tls/pair.ts';

const NAME = 'rotation.json';
const LONGEST = 65_536;

/** What is exchanged for what, for people and for the audit trail. */
export interface Told {
  subject: string;
  issuer: string;
  /** SHA-256 of the certificate that comes into use, and of the one that was in use, where that could be read. */
  fingerprint: string;
  before: string | null;
  /** UTC. */
  validTo: string;
  place: 'copied' | 'in-place';
  /** What it came from: files that were named, what waited for it, or this program itself. */
  origin: 'files' | 'pending' | 'self-signed' | 'kept';
}

/** What is being done: it is there from when everything is written until it is recorded. */
export interface Journal {
  event: 'certificate.rotate' | 'certificate.rollback';
  /** Names this one run. */
  stamp: string;
  from: PairFiles;
  to: PairFiles;
  /** By which settings a server has again what was in use: `from`, or its copy where other files lie there by now; null where it is gone. */
  back: PairFiles | null;
  /** The directories that were made for it, in the store. */
  made: string | null;
  kept: string | null;
  /** What is removed once it is done: the pair that a rollback put back to use, the key that waited for its certificate. */
  consumed: string | null;
  told: Told;
}

/** Reads what an earlier run left; undefined where that came to its end. */
export async function readJournal(store: string): Promise<Journal | undefined> {
  const path = join(store, NAME);
  const text = await readSmallFile(path, LONGEST);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Journal;
  } catch {
    throw failure(
      'failed',
      `${path} is not JSON`,
      'ktadmin cert show says what is in use; remove the file then',
    );
  }
}

/** Writes it to the disk before anything is exchanged. */
export async function writeJournal(store: string, journal: Journal): Promise<void> {
  await replaceFile(join(store, NAME), `${JSON.stringify(journal, null, 2)}\n`);
}

/** The last step of all. */
export async function removeJournal(store: string): Promise<void> {
  await rm(join(store, NAME), { force: true });
  await syncDirectory(store);
}
