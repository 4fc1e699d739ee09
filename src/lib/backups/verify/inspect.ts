import { type FileHandle, open } from 'node:fs/promises';
import { KeyTrusteeError } from '../../core/errors.ts';
import { requireSpace } from '../../core/files.ts';
import type { Reporter } from '../../core/reporter.ts';
import { readContainer } from '../../gpg/container.ts';
import { KeyNotAtHand, WrongPassphrase } from '../../gpg/decrypt.ts';
import { clearArchive, openSetFile, type SetFile } from '../restore/open-set.ts';
import type { RestoreSource } from '../restore/source.ts';
import { type Findings, failed, notChecked, ok } from './checks.ts';
import { type FoundReceipt, findReceipt } from './receipt.ts';
import { type SeenFile, seenFile } from './remember.ts';

/** What was found as the caller, before the work may become another account; the archive where it could be had. */
export interface Inspection {
  findings: Findings;
  receipt: FoundReceipt | undefined;
  file: SeenFile | undefined;
  archive: FileHandle | undefined;
}

const SPACE_HINT = 'name a directory with more: TMPDIR=DIR';

const reasonOf = (error: KeyTrusteeError, file: string) => error.message.replace(`${file}: `, '');

/** Makes a finding of an error that speaks of the set; any other goes on its way. */
function findingOf(error: unknown, file: string) {
  if (error instanceof KeyNotAtHand) return notChecked(reasonOf(error, file));
  if (!(error instanceof KeyTrusteeError) || error instanceof WrongPassphrase) throw error;
  if (error.code !== 'untrusted') throw error;
  return failed(reasonOf(error, file));
}

async function decrypt(file: SetFile, source: RestoreSource, reporter: Reporter): Promise<FileHandle> {
  const passphrase = source.passphraseFile === undefined ? undefined : await open(source.passphraseFile, 'r');
  try {
    const work = () => clearArchive(source.file, file, source.near, { ...source, passphrase });
    // A spinner would be drawn over the question for a passphrase.
    return source.interactive && passphrase === undefined
      ? await work()
      : await reporter.step('decrypting', work);
  } finally {
    await passphrase?.close();
  }
}

/** The outside of an encrypted set, and its inside as far as the key is at hand. */
async function openEncrypted(file: SetFile, source: RestoreSource, reporter: Reporter) {
  const findings: Findings = {};
  let archive: FileHandle | undefined;
  try {
    findings.container = ok(`encrypted to ${(await readContainer(file.handle)).join(', ')}`);
  } catch (error) {
    return { findings: { container: findingOf(error, source.file) }, archive };
  }
  try {
    archive = await decrypt(file, source, reporter);
    findings.decryption = ok('whole, by its integrity code');
  } catch (error) {
    findings.decryption = findingOf(error, source.file);
  }
  return { findings, archive };
}

async function openFile(file: SetFile, source: RestoreSource, reporter: Reporter) {
  if (file.kind === 'encrypted') return openEncrypted(file, source, reporter);
  const clear = notChecked('the set is not encrypted');
  return {
    findings: { container: clear, decryption: clear },
    archive: await decrypt(file, source, reporter),
  };
}

async function inspectFile(
  file: SetFile,
  source: RestoreSource,
  keyrings: string[],
  reporter: Reporter,
): Promise<Inspection> {
  const { size } = await file.handle.stat();
  await requireSpace(source.near, size, SPACE_HINT);
  const seen = await seenFile(file.handle);
  const form = ok(`${file.kind}, ${size} bytes`);
  try {
    const receipt = await findReceipt(source.file, file.handle, keyrings);
    const { findings, archive } = await openFile(file, source, reporter);
    return { findings: { form, ...findings }, receipt, file: seen, archive };
  } catch (error) {
    if (!(error instanceof KeyTrusteeError) || error.code !== 'untrusted') throw error;
    if (error instanceof WrongPassphrase) throw error;
    const findings = { form, receipt: failed(error.message) };
    return { findings, receipt: undefined, file: seen, archive: undefined };
  }
}

/** Looks at a set from outside and decrypts it, as the caller. A receipt's key may be in any of these keyrings. */
export async function inspectSet(
  source: RestoreSource,
  keyrings: string[],
  reporter: Reporter,
): Promise<Inspection> {
  let file: SetFile;
  try {
    file = await openSetFile(source.file);
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    const findings = { form: failed(error.message) };
    return { findings, receipt: undefined, file: undefined, archive: undefined };
  }
  try {
    return await inspectFile(file, source, keyrings, reporter);
  } finally {
    await file.handle.close();
  }
}
