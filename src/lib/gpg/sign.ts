import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../core/errors.ts';
import { gpgFailure, type KeyringFiles, withKeyring } from './program.ts';

/** A signature, or an encrypted text, is finished although the program was interrupted: what it belongs to is not lost. */
const FINISHED = { cleanUp: true };

const signer = (fingerprint: string) => ['--digest-algo', 'SHA512', '--local-user', `${fingerprint}!`];

/** Signs bytes; the signature is apart from them, armoured. */
export async function signDetached(
  files: KeyringFiles,
  fingerprint: string,
  bytes: Uint8Array,
): Promise<string> {
  return withKeyring(files, async (call) => {
    const args = [...signer(fingerprint), '--armor', '--output', '-', '--detach-sign'];
    const signed = await call(args, { ...FINISHED, input: bytes });
    if (signed.status !== 0) throw gpgFailure(signed);
    return signed.stdout;
  });
}

/**
 * Signs bytes and encrypts both to exactly one key, which is given in itself and is in no keyring (hazards GP-1, GP-5), in
 * a form that every GnuPG since 2.2 reads; armoured.
 */
export async function signAndEncrypt(
  files: KeyringFiles,
  fingerprint: string,
  recipient: string,
  bytes: Uint8Array,
): Promise<string> {
  return withKeyring(files, async (call, home) => {
    const key = join(home, 'recipient.key');
    await writeFile(key, recipient, { mode: 0o600, flag: 'wx' });
    const form = ['--rfc4880', '--cipher-algo', 'AES256', '--compress-algo', 'none', '--set-filename', ''];
    const to = ['--no-encrypt-to', '--recipient-file', key];
    const args = [...form, ...signer(fingerprint), ...to, '--armor', '--output', '-', '--sign', '--encrypt'];
    const made = await call(['--status-fd', '2', ...args], { ...FINISHED, input: bytes });
    if (made.status === 0 && made.stderr.includes('[GNUPG:] END_ENCRYPTION')) return made.stdout;
    if (/\[GNUPG:\] (?:INV_RECP|KEYEXPIRED|KEYREVOKED|FAILURE encrypt)/.test(made.stderr))
      throw failure('failed', 'the public key of the recipient cannot be encrypted to: has it expired?');
    throw gpgFailure(made);
  });
}
