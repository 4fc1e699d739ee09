import { failure } from '../core/errors.ts';
import { gpgFailure, type KeyringCall, type KeyringFiles, withKeyring } from './program.ts';

/**
 * Signs a text so that it stays readable (cleartext signature framework, RFC 9580, section 7), with a keyring that is
 * open already: opening one and its agent takes longer than a signature.
 */
export async function clearSignWith(call: KeyringCall, fingerprint: string, text: string): Promise<string> {
  const args = ['--digest-algo', 'SHA512', '--local-user', `${fingerprint}!`, '--clearsign'];
  const signed = await call(args, { input: text });
  if (signed.status !== 0) throw gpgFailure(signed);
  return signed.stdout;
}

/** Signs one text with a keyring's files. */
export async function clearSign(files: KeyringFiles, fingerprint: string, text: string): Promise<string> {
  return withKeyring(files, (call) => clearSignWith(call, fingerprint, text));
}

/** A text whose signature is good, and the full fingerprint of the primary key that signed it. */
export interface SignedText {
  text: string;
  signer: string;
}

/** How `clearSign` writes it: nothing before, nothing after, nothing that GnuPG would read over. */
const FORM = new RegExp(
  [
    '^-----BEGIN PGP SIGNED MESSAGE-----\\nHash: SHA512\\n\\n[^]*\\n',
    '-----BEGIN PGP SIGNATURE-----\\n\\n(?:[A-Za-z0-9+/]{1,64}={0,2}\\n)+=[A-Za-z0-9+/]{4}\\n',
    '-----END PGP SIGNATURE-----\\n$',
  ].join(''),
);

/**
 * Checks a cleartext signature with a keyring that is open already. Only what GnuPG reports on its status lines counts;
 * the text is what GnuPG itself gives out, not what was read around it.
 */
export async function verifyClearSignedWith(call: KeyringCall, signed: string): Promise<SignedText> {
  if (!FORM.test(signed))
    throw failure('untrusted', 'the signature is not in the form that this program writes');
  const answer = await call(['--status-fd', '2', '--output', '-', '--decrypt'], { input: signed });
  const valid = answer.stderr.split('\n').filter((line) => line.startsWith('[GNUPG:] VALIDSIG '));
  const signer = valid[0]?.split(' ').at(-1);
  if (answer.status !== 0 || valid.length !== 1 || signer === undefined) {
    throw failure('untrusted', 'the signature is not good, or its key is not known');
  }
  return { text: answer.stdout, signer };
}

/** Checks a cleartext signature against the keys of a keyring. */
export async function verifyClearSigned(files: KeyringFiles, signed: string): Promise<SignedText> {
  return withKeyring(files, (call) => verifyClearSignedWith(call, signed));
}
