import { hostname } from 'node:os';
import { sep } from 'node:path';
import { currentAccount } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import { lstatOrNothing } from '../../core/files.ts';
import { withLock } from '../../core/lock.ts';
import type { Reporter } from '../../core/reporter.ts';
import { gpgVersion } from '../../gpg/program.ts';
import type { Recipient } from '../../gpg/recipients.ts';
import { afterwards } from '../afterwards.ts';
import { isTransient } from '../collect.ts';
import { LOGGER } from '../logger.ts';
import { type BackupRequest, type BackupResult, resolveAll } from '../make.ts';
import { checkOutputDirectory, prepareOutput } from '../output.ts';
import { takeSequence } from '../sequence.ts';
import { sweepUnfinished } from '../sweep.ts';
import { prepareSigningHome, type SigningKey, signingKey } from './signing-home.ts';
import { Changed, readTree } from './tree.ts';
import { writeClientSet } from './write.ts';

/** Directories to be backed up, and everything else that a backup is asked for. */
export interface ClientRequest extends Omit<BackupRequest, 'databasePort'> {
  directories: string[];
  signingHome: string;
}

/** A set that cannot be read a third time is not going to be read. */
const ATTEMPTS = 3;

function hostName(): string {
  const host = hostname();
  if (/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host)) return host;
  throw failure('state', 'this host has no name that a file could have', 'hostnamectl set-hostname NAME');
}

async function checkDirectory(directory: string, others: string[]): Promise<void> {
  const stats = await lstatOrNothing(directory);
  if (stats === undefined) throw failure('notFound', `${directory} does not exist`);
  if (stats.isSymbolicLink())
    throw failure('conflict', `${directory} is a symbolic link`, 'name the directory that it points to');
  if (!stats.isDirectory()) throw failure('conflict', `${directory} is not a directory`);
  const above = others.find((other) => directory === other || directory.startsWith(`${other}${sep}`));
  if (above !== undefined) throw failure('usage', `${directory} is in the set already, with ${above}`);
}

/** Refuses what cannot be backed up, before anything is made. */
async function prepare({ directories, output, signingHome }: ClientRequest): Promise<void> {
  for (const [index, directory] of directories.entries()) {
    await checkDirectory(directory, directories.toSpliced(index, 1));
    await prepareOutput(output, directory, currentAccount());
    await checkOutputDirectory(output, directory);
  }
  await gpgVersion();
  await prepareSigningHome(signingHome);
}

function tellOfKey({ isNew, fingerprint }: SigningKey, home: string, reporter: Reporter): void {
  if (!isNew) return;
  const advice = 'write its fingerprint down: by it you know your own sets when this host is lost';
  reporter.log(
    LOGGER,
    'WARNING',
    `Made the key ${fingerprint} in ${home}, which signs this host's sets; ${advice}`,
  );
}

/** One try: what changes between the last reading and the writing makes the whole set worthless. */
async function attempt(request: ClientRequest, key: SigningKey, recipients: Recipient[], reporter: Reporter) {
  const { directories, signingHome, program, output } = request;
  const created = new Date();
  const tree = await readTree(directories);
  for (const path of tree.excluded)
    reporter.log(LOGGER, isTransient(path) ? 'DEBUG' : 'WARNING', `Leaving out ${path}`);
  const sequence = await takeSequence(signingHome);
  const parts = {
    tree,
    directories,
    signingHome,
    key,
    recipients,
    host: hostName(),
    created,
    sequence,
    program,
  };
  const published = await writeClientSet(parts, output);
  return { ...published, created: created.toISOString(), sequence };
}

async function tryUntilStill(...args: Parameters<typeof attempt>): ReturnType<typeof attempt> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt(...args);
    } catch (error) {
      if (!(error instanceof Changed) || number === ATTEMPTS) throw error;
    }
  }
}

/**
 * Makes a set of directories on a host that need not have a server: archived, encrypted, signed by a key of this host's
 * own, read back and only then given its name; afterwards older sets of this kind are deleted down to `roll`.
 */
export async function makeClientBackup(request: ClientRequest, reporter: Reporter): Promise<BackupResult> {
  const host = { client: hostName() };
  await prepare(request);
  const recipients = await resolveAll(request, reporter);
  return withLock(request.signingHome, 'backup', async () => {
    const key = await reporter.step("looking for this host's key", () =>
      signingKey(request.signingHome, host.client),
    );
    tellOfKey(key, request.signingHome, reporter);
    await sweepUnfinished(request.output, host);
    const made = await reporter.step('backing up', () => tryUntilStill(request, key, recipients, reporter));
    reporter.log(LOGGER, 'INFO', `Wrote ${made.path} (${made.size} bytes)`);
    const { fingerprint, files } = key;
    const place = { directory: request.output, host, fingerprint, publicKeys: files.publicKeys };
    const deleted = await afterwards(request, place, made.path, reporter);
    const fingerprints = recipients.map(({ fingerprint }) => fingerprint);
    return { ...made, encrypted: recipients.length > 0, recipients: fingerprints, deleted };
  });
}
