import { lstat, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { failure } from '../core/errors.ts';
import { createExclusively, exists, syncDirectory, writeAll } from '../core/files.ts';
import type { PairFiles } from '../tls/pair.ts';

/** The original product's names of a certificate, its key and its authorities. */
const NAMES = {
  SSL_CERTIFICATE: 'ssl-cert-keytrustee.pem',
  SSL_PRIVATE_KEY: 'ssl-cert-keytrustee-pk.pem',
  SSL_CA_CERTIFICATE: 'ssl-cert-keytrustee-ca.pem',
} as const;

/** The names of the settings whose values are paths of files. */
type FileSetting = keyof typeof NAMES;

/** What the files of a pair hold, by the names of their settings. */
export type Contents = Partial<Record<FileSetting, string | Buffer | undefined>>;

/** How the name of a directory begins that is not written to its end. */
export const UNFINISHED = '.new-';

/** The name of a directory in which a pair lies, or is kept: when it was made, UTC, and its number where there are several. */
const STAMP = /^(kept-)?(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z)(?:-(\d+))?$/;

/** Writes a file that nobody else can read, and reads it back: what a disk lost must not be put to use. */
export async function writeChecked(path: string, data: string | Buffer): Promise<void> {
  const bytes = Buffer.from(data);
  const handle = await createExclusively(path);
  try {
    await writeAll(handle, bytes, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  if ((await readFile(path)).equals(bytes)) return;
  throw failure('failed', `${path} does not hold what was written to it`, 'look for faults of the disk');
}

/** Writes the files of a pair into a directory, and brings them to the disk. */
export async function writeContents(directory: string, contents: Contents): Promise<void> {
  for (const [setting, name] of Object.entries(NAMES)) {
    const data = contents[setting as FileSetting];
    if (data !== undefined) await writeChecked(join(directory, name), data);
  }
  await syncDirectory(directory);
}

/** Where the files of a pair lie in a directory. */
export function filesIn(directory: string, contents: Contents, script: string | undefined): PairFiles {
  return {
    SSL_CERTIFICATE: join(directory, NAMES.SSL_CERTIFICATE),
    SSL_PRIVATE_KEY: join(directory, NAMES.SSL_PRIVATE_KEY),
    ...(contents.SSL_CA_CERTIFICATE === undefined
      ? {}
      : { SSL_CA_CERTIFICATE: join(directory, NAMES.SSL_CA_CERTIFICATE) }),
    ...(script === undefined ? {} : { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script }),
  };
}

/** What the files of a pair hold, byte for byte. */
export async function readContents(files: PairFiles): Promise<Contents> {
  const contents: Contents = {};
  for (const setting of Object.keys(NAMES) as FileSetting[]) {
    const path = files[setting];
    if (path !== undefined) contents[setting] = await readFile(path);
  }
  return contents;
}

/** A name for what is made now, which nothing has there yet. */
export async function freeStamp(store: string, now = new Date()): Promise<string> {
  const stamp = `${now.toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? stamp : `${stamp}-${number}`;
    if (!(await exists(join(store, name))) && !(await exists(join(store, `kept-${name}`)))) return name;
  }
}

/** Whether all files of a pair lie in a directory that was made for them: nobody else writes there. */
export function isOwn(store: string, files: PairFiles): boolean {
  return (Object.keys(NAMES) as FileSetting[]).every((setting) => {
    const directory = dirname(files[setting] ?? files.SSL_CERTIFICATE);
    return dirname(directory) === store && STAMP.test(basename(directory));
  });
}

/** The directories of a kind, the newest first. */
export async function stampedNames(store: string, kind: 'kept' | 'made'): Promise<string[]> {
  const found = (await readdir(store)).flatMap((name) => {
    const [, prefix, time = '', number = '1'] = STAMP.exec(name) ?? [];
    return time === '' || (prefix !== undefined) !== (kind === 'kept') ? [] : [{ name, time, number }];
  });
  const isDirectory = await Promise.all(
    found.map(async ({ name }) => (await lstat(join(store, name))).isDirectory()),
  );
  return found
    .filter((_one, place) => isDirectory[place])
    .toSorted((a, b) => b.time.localeCompare(a.time) || Number(b.number) - Number(a.number))
    .map(({ name }) => name);
}
