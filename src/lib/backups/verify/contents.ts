import type { FileHandle } from 'node:fs/promises';
import { KeyTrusteeError } from '../../core/errors.ts';
import type { Manifest } from '../manifest.ts';
import { isOriginal, readUnsigned } from '../original/read.ts';
import { readContents } from '../restore/contents.ts';
import { type CheckName, type Findings, failed, notChecked, ok } from './checks.ts';

/** What the inside of a set says, and what the server says of it where that is signed. */
export interface ContentFindings {
  findings: Findings;
  manifest: Manifest | undefined;
}

function describe(check: CheckName, manifest: Manifest | undefined): string {
  const count = manifest?.members.length ?? 0;
  const rows = Object.entries(manifest?.database.rows ?? {}).map(([table, number]) => `${number} ${table}`);
  const texts: Partial<Record<CheckName, string>> = {
    archive: 'from its first block to its last',
    manifest: `number ${manifest?.sequence} of ${manifest?.created}, signed by the server that it names`,
    members: `${count}, each once, with its size, mode, owner and digest`,
    dump: `complete: ${rows.join(', ')}`,
  };
  return texts[check] ?? '';
}

/** Reads an archive to its end, and says of each part of the check whether it held. */
export async function checkContents(archive: FileHandle): Promise<ContentFindings> {
  const findings: Findings = {};
  let manifest: Manifest | undefined;
  const order: CheckName[] = ['archive', 'manifest', 'members', 'dump'];
  try {
    if (await isOriginal(archive)) {
      const { fingerprint } = await readUnsigned(archive, (check, finding) => (findings[check] = finding));
      findings.origin = notChecked(`it says to be by ${fingerprint}, and nobody signed that`);
      return { findings, manifest };
    }
    await readContents(archive, (check, signed) => {
      manifest = signed ?? manifest;
      findings[check] = ok(describe(check, manifest));
    });
  } catch (error) {
    if (!(error instanceof KeyTrusteeError) || !['untrusted', 'failed'].includes(error.code)) throw error;
    const reached = order.find((check) => findings[check] === undefined) ?? 'members';
    findings[reached] = failed(error.message);
  }
  return { findings, manifest };
}
