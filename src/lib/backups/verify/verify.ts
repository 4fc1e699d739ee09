import type { Reporter } from '../../core/reporter.ts';
import { isClientSet } from '../include/contents.ts';
import { type Check, type Findings, failed, listChecks, notChecked } from './checks.ts';
import { checkContents, type SignedManifest } from './contents.ts';
import type { Inspection } from './inspect.ts';
import { checkOrigin, type Pin } from './pin.ts';
import { claimOf, judgeReceipt } from './receipt.ts';

/** What the receipt is worth, and, where nothing else says it, whose set it is. */
async function addReceipt(
  all: Findings,
  file: string,
  { receipt, archive }: Inspection,
  pin: Pin,
  manifest: SignedManifest | undefined,
): Promise<void> {
  if (receipt === undefined) {
    all.receipt ??= notChecked('there is none beside the set');
    return;
  }
  const judged = await judgeReceipt(file, receipt, archive);
  all.receipt = judged.finding;
  const said = judged.receipt ?? claimOf(receipt);
  if (said === undefined) return;
  if (manifest === undefined) {
    const origin = checkOrigin(pin, said);
    // Who is another server by his own word needs no proof of it.
    if (judged.receipt !== undefined || origin.outcome === 'failed') all.origin = origin;
  } else if (said.fingerprint !== manifest.fingerprint || said.sequence !== manifest.sequence)
    all.receipt = failed(`it is of number ${said.sequence} of ${said.fingerprint}, and not of this set`);
}

const INSIDE = ['archive', 'manifest', 'origin', 'members', 'dump'] as const;

/** Reads what the caller has decrypted, and lists what came of every check. Changes nothing. */
export async function verifySet(
  file: string,
  inspection: Inspection,
  pin: Pin,
  reporter: Reporter,
): Promise<Check[]> {
  const { findings, archive } = inspection;
  const all = { ...findings };
  const inside =
    archive === undefined
      ? undefined
      : await reporter.step('verifying the set', () => checkContents(archive, isClientSet(file)));
  Object.assign(all, inside?.findings);
  if (inside?.manifest !== undefined) all.origin = checkOrigin(pin, inside.manifest);
  await addReceipt(all, file, inspection, pin, inside?.manifest);
  if (findings.decryption?.outcome === 'not checked' && archive === undefined)
    for (const check of INSIDE) all[check] ??= notChecked('the set was not decrypted');
  return listChecks(all);
}
