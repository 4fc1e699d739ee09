import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FoundMember, readMember } from '../../archive/read.ts';
import { writeConfiguration } from '../../core/configuration.ts';
import { createExclusively, syncDirectory, writeAll } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { CompletedConfiguration } from './configuration.ts';
import { hasOldKeys, migrateKeys, OLD_PLACE, placeOf } from './keys.ts';
import type { UnsignedSet } from './set.ts';

async function writeMember(set: UnsignedSet, member: FoundMember, path: string): Promise<void> {
  const handle = await createExclusively(path);
  try {
    let position = 0;
    for await (const piece of readMember(set.handle, member)) {
      checkInterruption();
      position = await writeAll(handle, piece, position);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a set's configuration into a new directory, 0700 and 0600 whatever the set says: its files as they were, the keys
 * of GnuPG 1.x also in the form of 2.1, and `keytrustee.conf` with what was added.
 */
export async function writeConfdir(
  set: UnsignedSet,
  configuration: CompletedConfiguration,
  directory: string,
): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  const made = [directory];
  const ensure = async (path: string) => {
    if (made.includes(path)) return;
    await ensure(dirname(path));
    await mkdir(path, { mode: 0o700 });
    made.push(path);
  };
  if (hasOldKeys(set)) await ensure(join(directory, OLD_PLACE));
  for (const [path, member] of set.files) {
    const place = placeOf(set, path);
    if (place === undefined || path === 'keytrustee.conf') continue;
    if (member.type === 'Directory') await ensure(join(directory, place));
    else {
      await ensure(dirname(join(directory, place)));
      await writeMember(set, member, join(directory, place));
    }
  }
  if (hasOldKeys(set)) await migrateKeys(set, directory);
  await writeConfiguration(directory, configuration);
  for (const path of made) await syncDirectory(path);
}

/** Writes a set's dump into a new file that only its owner can read. */
export async function writeDump(set: UnsignedSet, path: string): Promise<void> {
  await writeMember(set, set.dump, path);
  await syncDirectory(dirname(path));
}
