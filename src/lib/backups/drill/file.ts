import { digestOf } from '../../core/digest.ts';
import { requireSpace } from '../../core/files.ts';
import { openSetFile } from '../restore/open-set.ts';

/** Size and SHA-256 of a set's file, for which there must be space in a directory. */
export async function lookAtFile(
  set: string,
  place: string,
): Promise<{ set: string; size: number; sha256: string }> {
  const { handle } = await openSetFile(set);
  try {
    await requireSpace(place, (await handle.stat()).size, 'name a directory with more: TMPDIR=DIR');
    return { set, ...(await digestOf(handle)) };
  } finally {
    await handle.close();
  }
}
