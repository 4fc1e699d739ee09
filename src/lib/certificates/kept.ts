import { X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, readSmallFile, removeTree, syncDirectory } from '../core/files.ts';
import type { PairFiles } from '../tls/pair.ts';
import {
  type Contents,
  filesIn,
  readContents,
  stampedNames,
  writeChecked,
  writeContents,
} from './generation.ts';
import { isSame, liesIn, pairSettings } from './settings.ts';

/** So many pairs that were in use before are kept. */
const KEPT = 5;

const NAME = 'settings.json';
const LONGEST = 65_536;

/** What a pair in use is kept as: its files byte for byte, and what the settings said. */
export interface InUse {
  settings: PairFiles;
  contents: Contents;
  /** SHA-256 of the certificate, where it is one. */
  fingerprint: string | undefined;
}

/** A pair that was in use, or that is in use where others may overwrite it, as it was kept. */
export interface Kept extends InUse {
  /** The name of its directory. */
  name: string;
  /** The copies of its files. */
  copies: PairFiles;
  /** The configuration directory of the server that used it; what its settings name is that server's. */
  confdir: string | undefined;
}

/** Reads what is in use; undefined where its files are not there, or cannot be read any more. */
export async function readInUse(settings: PairFiles): Promise<InUse | undefined> {
  try {
    const contents = await readContents(settings);
    return { settings, contents, fingerprint: fingerprintOf(contents) };
  } catch {
    return undefined;
  }
}

/** SHA-256 of the certificate of a pair, where it is one. */
export function fingerprintOf({ SSL_CERTIFICATE }: Contents): string | undefined {
  try {
    return new X509Certificate(SSL_CERTIFICATE ?? '').fingerprint256;
  } catch {
    return undefined;
  }
}

/** Writes a copy of what is in use, or comes into use, into a directory; the record says of which server. */
export async function writeKept(
  directory: string,
  inUse: InUse,
  confdir: string,
  now = new Date(),
): Promise<void> {
  const { settings, contents, fingerprint } = inUse;
  const record = { confdir, settings, fingerprint, written: now.toISOString() };
  await writeChecked(join(directory, NAME), `${JSON.stringify(record, null, 2)}\n`);
  await writeContents(directory, contents);
}

/** Reads a pair that is kept; undefined where it is not whole. */
export async function readKept(store: string, name: string): Promise<Kept | undefined> {
  const directory = join(store, name);
  try {
    const text = await readSmallFile(join(directory, NAME), LONGEST);
    const { settings: raw, confdir } = JSON.parse(text ?? '') as Pick<Kept, 'settings' | 'confdir'>;
    const settings = pairSettings(raw);
    const copies = filesIn(
      directory,
      { SSL_CA_CERTIFICATE: settings.SSL_CA_CERTIFICATE },
      settings.SSL_PRIVATE_KEY_PASSWORD_SCRIPT,
    );
    const contents = await readContents(copies);
    return { name, settings, copies, contents, confdir, fingerprint: fingerprintOf(contents) };
  } catch {
    // Somebody took a file out of it: there is nothing to go back to, and no reason to fail for it.
    return undefined;
  }
}

/** The pairs that are kept, the newest first; what is not whole is left out. */
export async function listKept(store: string): Promise<Kept[]> {
  const names = await stampedNames(store, 'kept');
  const kept = await Promise.all(names.map((name) => readKept(store, name)));
  return kept.filter((one) => one !== undefined);
}

/**
 * The copy of the pair that the settings name where it lies: what came into use there, whatever lies there by now. The
 * newest, which is the only one unless a run was cut off.
 */
export async function copyOf(store: string, settings: PairFiles): Promise<Kept | undefined> {
  const names = (await exists(store)) ? await stampedNames(store, 'made') : [];
  for (const name of names) {
    const copy = await readKept(store, name);
    if (copy !== undefined && isSame(copy.settings, settings)) return copy;
  }
  return undefined;
}

/** Whether two hold the same, byte for byte. */
export function holdsSame(one: InUse, other: InUse | undefined): boolean {
  return (['SSL_CERTIFICATE', 'SSL_PRIVATE_KEY', 'SSL_CA_CERTIFICATE'] as const).every((name) =>
    Buffer.from(one.contents[name] ?? '').equals(Buffer.from(other?.contents[name] ?? '')),
  );
}

/**
 * Whether the files that the settings named then still hold that very pair. Never where they were another server's, whose
 * backup set was restored here: this one is not to depend on its files.
 */
export async function isStillThere(kept: Kept, confdir: string): Promise<boolean> {
  return kept.confdir === confdir && holdsSame(kept, await readInUse(kept.settings));
}

/**
 * Removes what nothing needs any more: pairs kept beyond the newest five, and directories that neither the settings nor a
 * pair that is kept names, but for the one that was made last, which may be the copy of what is used where it lies.
 */
export async function prune(store: string, inUse: PairFiles, made: string | null): Promise<void> {
  const names = await stampedNames(store, 'kept');
  for (const name of names.slice(KEPT)) await removeTree(join(store, name));
  const named = [inUse, ...(await listKept(store)).map(({ settings }) => settings)];
  for (const name of await stampedNames(store, 'made')) {
    const directory = join(store, name);
    if (name === made) continue;
    if (!named.some((files) => liesIn(files, directory))) await removeTree(directory);
    // It was the copy of what was used where it lay, and is not any more.
    else await rm(join(directory, NAME), { force: true });
  }
  await syncDirectory(store);
}
