import type { FileHandle } from 'node:fs/promises';
import { KeyTrusteeError } from '../../core/errors.ts';
import { readClientContents } from '../include/contents.ts';
import type { ClientManifest } from '../include/manifest.ts';
import type { Manifest } from '../manifest.ts';
import { isOriginal, readUnsigned } from '../original/read.ts';
import { readContents } from '../restore/contents.ts';
import { type CheckName, type Findings, failed, notChecked, ok } from './checks.ts';

/** What the inside of a set says, and what the server says of it where that is signed. */
export interface ContentFindings {
  findings: Findings;
  manifest: SignedManifest | undefined;
}

/** A server's manifest, or a client's. */
export type SignedManifest = Manifest | ClientManifest;

function describe(check: CheckName, manifest: SignedManifest | undefined): string {
  const count = manifest?.members.length ?? 0;
  const counts = manifest !== undefined && 'database' in manifest ? manifest.database.rows : {};
  const rows = Object.entries(counts).map(([table, number]) => `${number} ${table}`);
  const texts: Partial<Record<CheckName, string>> = {
    archive: 'from its first block to its last',
    manifest: `number ${manifest?.sequence} of ${manifest?.created}, signed by the server that it names`,
    members: `${count}, each once, with its size, mode, owner and digest`,
    dump:
      manifest !== undefined && 'kind' in manifest
        ? "a client's set has none"
        : `complete: ${rows.join(', ')}`,
  };
  return texts[check] ?? '';
}

/** Reads an archive to its end, and says of each part of the check whether it held. */
export async function checkContents(archive: FileHandle, isClient: boolean): Promise<ContentFindings> {
  const findings: Findings = {};
  let manifest: SignedManifest | undefined;
  const order: CheckName[] = ['archive', 'manifest', 'members', 'dump'];
  try {
    if (!isClient && (await isOriginal(archive))) {
      const { fingerprint } = await readUnsigned(archive, (check, finding) => (findings[check] = finding));
      findings.origin = notChecked(`it says to be by ${fingerprint}, and nobody signed that`);
      return { findings, manifest };
    }
    const passed = (check: CheckName, signed?: SignedManifest) => {
      manifest = signed ?? manifest;
      findings[check] = ok(describe(check, manifest));
    };
    await (isClient ? readClientContents(archive, passed) : readContents(archive, passed));
    if (isClient) passed('dump');
  } catch (error) {
    if (!(error instanceof KeyTrusteeError) || !['untrusted', 'failed'].includes(error.code)) throw error;
    const reached = order.find((check) => findings[check] === undefined) ?? 'members';
    findings[reached] = failed(error.message);
  }
  return { findings, manifest };
}
