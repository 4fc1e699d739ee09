import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readMember } from '../../archive/read.ts';
import { confdirFiles } from '../../core/config.ts';
import { failure } from '../../core/errors.ts';
import { createExclusively, syncDirectory, writeAll } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import { clearSign, verifyClearSigned } from '../../gpg/signature.ts';
import type { SetContents } from './contents.ts';

async function extractFile(
  contents: SetContents,
  member: Parameters<typeof readMember>[1],
  path: string,
): Promise<void> {
  const handle = await createExclusively(path);
  try {
    let position = 0;
    for await (const chunk of readMember(contents.handle, member))
      position = await writeAll(handle, chunk, position);
    await handle.utimes(member.modified, member.modified);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a set's configuration directory into a new directory, 0700 and 0600 whatever the archive says. */
export async function extractConfdir(contents: SetContents, directory: string): Promise<void> {
  for (const [path, member] of [...contents.confdir].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    checkInterruption();
    const place = join(directory, path);
    if (member.type === 'Directory') await mkdir(place, { mode: 0o700 });
    else await extractFile(contents, member, place);
  }
  for (const [path, member] of contents.confdir) {
    if (member.type === 'Directory') await syncDirectory(join(directory, path));
  }
}

/** Whether the server's secret key in a restored directory opens: it signs, and the signature is its own. */
export async function checkServerKey(confdir: string, qualified: string): Promise<void> {
  const keyring = confdirFiles(confdir);
  const fingerprint = bareFingerprint(qualified);
  const { signer } = await verifyClearSigned(keyring, await clearSign(keyring, fingerprint, 'restored\n'));
  if (signer !== fingerprint)
    throw failure('untrusted', `the server's key in the set is ${signer}, not ${fingerprint}`);
}
