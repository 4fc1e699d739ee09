import { digestOf } from '../../core/digest.ts';
import { requireSpace } from '../../core/files.ts';
import { openSetFile } from '../restore/open-set.ts';
import { type SeenFile, seenFile } from '../verify/remember.ts';

/** A set's file, and its digest. */
export interface DrilledFile {
  set: string;
  size: number;
  sha256: string;
}

/** Looks at a set's file, for which there must be space in a directory. */
export async function lookAtFile(set: string, place: string): Promise<{ file: DrilledFile; seen: SeenFile }> {
  const { handle } = await openSetFile(set);
  try {
    await requireSpace(place, (await handle.stat()).size, 'name a directory with more: TMPDIR=DIR');
    const seen = await seenFile(handle);
    return { file: { set, ...(await digestOf(handle)) }, seen };
  } finally {
    await handle.close();
  }
}
