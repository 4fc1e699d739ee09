import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { readSmallFile, removeTree, syncDirectory } from '../core/files.ts';
import type { PairFiles } from '../tls/pair.ts';
import {
  type Contents,
  filesIn,
  readContents,
  stampedNames,
  writeChecked,
  writeContents,
} from './generation.ts';
import { liesIn, pairSettings } from './settings.ts';

/** So many pairs that were in use before are kept. */
const KEPT = 5;

const NAME = 'settings.json';
const LONGEST = 65_536;

/** A pair that was in use, as it was kept. */
export interface Kept {
  /** The name of its directory. */
  name: string;
  /** What the settings were. */
  settings: PairFiles;
  /** The copies of its files. */
  copies: PairFiles;
  contents: Contents;
}

/** What a pair in use is kept as: its files byte for byte, and what the settings said. */
export interface InUse {
  settings: PairFiles;
  contents: Contents;
  /** SHA-256 of the certificate, where it is one. */
  fingerprint: string | undefined;
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

function fingerprintOf({ SSL_CERTIFICATE }: Contents): string | undefined {
  try {
    return new X509Certificate(SSL_CERTIFICATE ?? '').fingerprint256;
  } catch {
    return undefined;
  }
}

/** Writes a copy of what is in use into a directory. */
export async function writeKept(directory: string, inUse: InUse, now = new Date()): Promise<void> {
  const { settings, contents, fingerprint } = inUse;
  const record = { settings, fingerprint, replaced: now.toISOString() };
  await writeChecked(join(directory, NAME), `${JSON.stringify(record, null, 2)}\n`);
  await writeContents(directory, contents);
}

async function readKept(store: string, name: string): Promise<Kept | undefined> {
  const directory = join(store, name);
  try {
    const text = await readSmallFile(join(directory, NAME), LONGEST);
    const { settings: raw } = JSON.parse(text ?? '') as { settings: PairFiles };
    const settings = pairSettings(raw);
    const copies = filesIn(
      directory,
      { SSL_CA_CERTIFICATE: settings.SSL_CA_CERTIFICATE },
      settings.SSL_PRIVATE_KEY_PASSWORD_SCRIPT,
    );
    return { name, settings, copies, contents: await readContents(copies) };
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

/** Whether the files that the settings named then still hold that very pair. */
export async function isStillThere({ settings, contents }: Kept): Promise<boolean> {
  const now = await readInUse(settings);
  return (['SSL_CERTIFICATE', 'SSL_PRIVATE_KEY', 'SSL_CA_CERTIFICATE'] as const).every((name) =>
    Buffer.from(contents[name] ?? '').equals(Buffer.from(now?.contents[name] ?? '')),
  );
}

/**
 * Removes what nothing needs any more: pairs kept beyond the newest five, and directories that neither the settings nor a
 * pair that is kept names.
 */
export async function prune(store: string, inUse: PairFiles): Promise<void> {
  const names = await stampedNames(store, 'kept');
  for (const name of names.slice(KEPT)) await removeTree(join(store, name));
  const named = [inUse, ...(await listKept(store)).map(({ settings }) => settings)];
  for (const name of await stampedNames(store, 'made')) {
    const directory = join(store, name);
    if (!named.some((files) => liesIn(files, directory))) await removeTree(directory);
  }
  await syncDirectory(store);
}
