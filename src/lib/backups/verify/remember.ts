import type { FileHandle } from 'node:fs/promises';
import { isRoot } from '../../core/account.ts';
import { explain } from '../../core/errors.ts';
import { type FileIdentity, identityOf, recordDrilled, recordVerified } from '../records.ts';
import { type Check, judge } from './checks.ts';

/** Which file was looked at, and whose it is. */
export interface SeenFile {
  identity: FileIdentity;
  uid: number;
}

/** What tells an open file from every other one, and from itself when somebody has changed it. */
export async function seenFile(handle: FileHandle): Promise<SeenFile> {
  return { identity: await identityOf(handle), uid: (await handle.stat()).uid };
}

type Record = typeof recordVerified;

/** Returns why it could not be written down. What is somebody else's is not recorded: he could not read it. */
async function write(record: Record, set: string, file: SeenFile, outcome: 'good' | 'damaged') {
  if (!isRoot() && file.uid !== process.getuid?.()) return undefined;
  try {
    await record(set, { file: file.identity, outcome });
    return undefined;
  } catch (error) {
    return explain(error).message;
  }
}

/** Writes down beside a set what its check has shown, where that says something of the set. */
export async function rememberVerified(
  set: string,
  file: SeenFile,
  checks: Check[],
): Promise<string | undefined> {
  const { code } = judge(checks);
  const isForeign = checks.some(({ check, outcome }) => check === 'origin' && outcome === 'failed');
  if (code === 'state' || isForeign) return undefined;
  return write(recordVerified, set, file, code === 'done' ? 'good' : 'damaged');
}

/** Writes down beside a set that it came back. */
export async function rememberDrilled(set: string, file: SeenFile): Promise<string | undefined> {
  return write(recordDrilled, set, file, 'good');
}
