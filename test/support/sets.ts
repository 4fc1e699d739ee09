/** Backup sets in tests: unpacked with stock tools, and what is in them. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownedDirectory, run, type TestServer, world } from './sandbox.ts';

/** What a manifest says, as far as tests look at it. */
export interface ManifestText {
  created: string;
  sequence: number;
  host: string;
  fingerprint: string;
  confdir: string;
  account: string;
  database: { member: string; parts: string[]; rows: Record<string, number> };
  recipients: { fingerprint: string; userId: string }[];
  excluded: string[];
  members: { path: string; type: string; size: number; sha256: string | null; mode: string; owner: string }[];
}

/** Decrypts a set with stock gpg as the administrator, or copies one in clear; returns the archive's path. */
async function archiveOf(set: string, scratch: string): Promise<string> {
  const archive = join(scratch, 'backup.tar');
  const words = set.endsWith('.gpg')
    ? ['gpg', '--homedir', world.administrator, '--batch', '--yes', '-d', '-o', archive, set]
    : ['cp', set, archive];
  const done = await run(words[0] ?? '', words.slice(1));
  if (done.status !== 0) throw new Error(done.stderr);
  return archive;
}

/** The names in an archive, as GNU tar lists them. */
async function namesIn(archive: string): Promise<string[]> {
  const listed = await run('tar', ['--quoting-style=escape', '-tf', archive]);
  if (listed.status !== 0) throw new Error(listed.stderr);
  return listed.stdout.split('\n').filter((name) => name !== '');
}

/** A set unpacked by GNU tar below a directory; the manifest is read by stock gpg with the keys that are in the set. */
export async function unpack(set: string, parent: string) {
  const scratch = join(parent, `unpacked-${createHash('sha256').update(set).digest('hex').slice(0, 8)}`);
  await mkdir(join(scratch, 'root'), { recursive: true });
  const archive = await archiveOf(set, scratch);
  const untarred = await run('tar', ['-xf', archive, '-C', join(scratch, 'root')]);
  if (untarred.status !== 0) throw new Error(untarred.stderr);
  const names = await namesIn(archive);
  const signed = await readFile(join(scratch, 'root', names.at(-1) ?? ''));
  const confdir = join(scratch, 'root', names[0] ?? '');
  const home = join(scratch, 'gnupg');
  await mkdir(home, { mode: 0o700 });
  const keys = ['--no-default-keyring', '--keyring', join(confdir, 'pubring.kbx'), '--trust-model', 'always'];
  await writeFile(join(scratch, 'manifest.asc'), signed);
  const verified = await run('gpg', [
    ...['--homedir', home, '--batch', '--status-fd', '2', ...keys],
    ...['--decrypt', join(scratch, 'manifest.asc')],
  ]);
  return {
    archive,
    root: join(scratch, 'root'),
    names,
    signature: verified.stderr,
    manifest: JSON.parse(verified.stdout) as ManifestText,
  };
}

/** A backup that must succeed; returns the set's path. */
export async function backup(server: TestServer, ...args: string[]): Promise<string> {
  const output = await ownedDirectory(server.directory, 'backups');
  const how = args.some((word) => word.startsWith('--gpg-recipient')) ? [] : ['--cleartext'];
  const made = await server.ktbackup([...how, '--quiet', `--output=${output}`, ...args]);
  if (made.status !== 0) throw new Error(`${made.status}: ${made.stderr}`);
  return made.stdout.trim();
}

/** The names of a directory without what is kept beside sets: receipts and records. */
export async function setsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => !/\.receipt\.asc$|\.records\.json$/.test(name)).toSorted();
}
