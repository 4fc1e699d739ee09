import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, link, realpath, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { type Account, currentAccount } from '../core/account.ts';
import { digestOf } from '../core/digest.ts';
import { errorCode, failure } from '../core/errors.ts';
import {
  createExclusively,
  exists,
  lstatOrNothing,
  makePrivateDirectory,
  syncDirectory,
  writeAll,
} from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import { type SetHost, setStem } from './name.ts';
import { RECEIPT_ENDING } from './receipt.ts';

/** Where a path leads, its last parts perhaps still to be made. */
async function realPlace(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    const real = await realpath(place).catch(() => undefined);
    if (real !== undefined || place === '/') return join(real ?? '/', path.slice(place.length));
  }
}

/** Refuses a directory that lies in the one that is backed up (hazard FI-8); it need not exist yet. */
async function checkOutputPlace(directory: string, confdir: string): Promise<void> {
  const real = await realPlace(directory);
  const inside = await realPlace(confdir);
  if (real === inside || real.startsWith(inside + sep)) {
    throw failure('usage', `${directory} lies in ${confdir}, which is what is backed up`);
  }
}

/**
 * Makes the directory where sets are put, when it is missing. To be called by whoever started the program: root makes it
 * for the service account.
 */
export async function prepareOutput(directory: string, confdir: string, account: Account): Promise<void> {
  await checkOutputPlace(directory, confdir);
  try {
    await makePrivateDirectory(directory, account);
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR')
      throw failure('conflict', `${directory} cannot be made: a file is in the way`);
    if (errorCode(error) !== 'EACCES') throw error;
    const hint = `as root: install -d -m 700 -o ${account.name} ${directory}`;
    throw failure('permission', `${directory} cannot be reached by ${currentAccount().name}`, hint, error);
  }
}

/** Refuses a directory that this account cannot write to, or that others could write to (hazard FI-9). */
export async function checkOutputDirectory(directory: string, confdir: string): Promise<void> {
  await checkOutputPlace(directory, confdir);
  const { name } = currentAccount();
  const stats = await lstatOrNothing(directory);
  if (stats === undefined)
    throw failure('notFound', `${directory} does not exist`, `mkdir -m 700 ${directory}`);
  if (stats.isSymbolicLink())
    throw failure('conflict', `${directory} is a link`, `--output ${await realPlace(directory)}`);
  if (!stats.isDirectory()) throw failure('conflict', `${directory} is not a directory`);
  if ((stats.mode & 0o022) !== 0) {
    throw failure(
      'permission',
      `${directory} can be written by other accounts`,
      `give a directory of its own: install -d -m 700 -o ${name} ${directory}/keytrustee`,
    );
  }
  await access(directory, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw failure(
      'permission',
      `${directory} cannot be written by ${name}`,
      `give a directory of its own; as root: install -d -m 700 -o ${name} ${directory}/keytrustee`,
      error,
    );
  });
}

/** A file's content: bytes, and their SHA-256. */
interface Written {
  size: number;
  sha256: string;
}

async function writeAndReadBack(handle: FileHandle, content: AsyncIterable<Buffer>): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    checkInterruption();
    hash.update(chunk);
    size = await writeAll(handle, chunk, size);
  }
  await handle.sync();
  const sha256 = hash.digest('hex');
  const found = await digestOf(handle);
  if (found.size !== size || found.sha256 !== sha256)
    throw failure('failed', 'the backup set read back from the disk is not what was written');
  return found;
}

/** The name that a new set gets, without its ending: no set has it, nor one that another run is writing. */
export async function chooseStem(directory: string, host: SetHost, created: Date): Promise<string> {
  for (let number = 0; number < 1000; number += 1) {
    const stem = setStem(host, created, number);
    const endings = ['', '.part', RECEIPT_ENDING].flatMap((end) => [`.tar${end}`, `.tar.gpg${end}`]);
    const taken = await Promise.all(endings.map((ending) => exists(join(directory, stem + ending))));
    if (!taken.includes(true)) return stem;
  }
  throw failure('conflict', `${directory} holds a thousand sets of this second`);
}

async function publish(part: string, path: string): Promise<void> {
  try {
    await link(part, path);
    await unlink(part);
  } catch (error) {
    // Some file systems have no hard links; there the name was looked at just before.
    const unlinkable = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].includes(errorCode(error) ?? '');
    if (errorCode(error) === 'EEXIST' || (unlinkable && (await exists(path))))
      throw failure('conflict', `${path} exists already`, 'run the backup again');
    if (!unlinkable) throw error;
    await rename(part, path);
  }
}

/**
 * Writes a set beside its final name and publishes it when it is complete, on disk and read back: a final name means
 * complete. Before it gets that name, `prove` writes its receipt. Whatever happens before leaves nothing with a final name.
 */
export async function publishSet(
  directory: string,
  name: string,
  content: AsyncIterable<Buffer>,
  prove: (written: Written) => Promise<string>,
): Promise<{ path: string; size: number }> {
  const path = join(directory, name);
  const part = `${path}.part`;
  const handle = await createExclusively(part);
  let receipt: string | undefined;
  let written: Written;
  try {
    try {
      written = await writeAndReadBack(handle, content);
    } finally {
      await handle.close();
    }
    receipt = await prove(written);
    reached('backup-receipt-written');
    checkInterruption();
    await publish(part, path);
  } catch (error) {
    if (receipt !== undefined) await rm(receipt, { force: true });
    await rm(part, { force: true });
    throw error;
  }
  await syncDirectory(directory);
  reached('backup-published');
  return { path, size: written.size };
}
