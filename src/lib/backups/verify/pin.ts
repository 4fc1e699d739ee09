import { readRawConfiguration } from '../../core/configuration.ts';
import { errorCode } from '../../core/errors.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import { signingFingerprint } from '../include/signing-home.ts';
import type { Manifest } from '../manifest.ts';
import { type Finding, failed, notChecked, ok } from './checks.ts';

/** The fingerprint that a set's signer must have, known from elsewhere than the set (hazard GP-8); or why none is known. */
export type Pin = { fingerprint: string; from: string } | { unknown: string };

/** The fingerprint that was given, else that of the server on this host. */
export async function findPin(given: string | undefined, confdir: string): Promise<Pin> {
  if (given !== undefined) return { fingerprint: given, from: '--fingerprint' };
  try {
    const { LOCAL_FINGERPRINT: found } = await readRawConfiguration(confdir);
    if (typeof found === 'string') return { fingerprint: bareFingerprint(found), from: confdir };
    return { unknown: `${confdir}/keytrustee.conf names no LOCAL_FINGERPRINT` };
  } catch (error) {
    const isClosed = ['EACCES', 'EPERM'].includes(errorCode(error) ?? '');
    return { unknown: isClosed ? `${confdir} cannot be read` : `there is no server in ${confdir}` };
  }
}

/** The same for a client's set: the fingerprint that was given, else that of this host's own signing key. */
export async function findClientPin(given: string | undefined, signingHome: string): Promise<Pin> {
  if (given !== undefined) return { fingerprint: given, from: '--fingerprint' };
  const found = await signingFingerprint(signingHome).catch(() => undefined);
  if (found === undefined) return { unknown: `there is no key of this host in ${signingHome}` };
  return { fingerprint: bareFingerprint(found), from: signingHome };
}

/** Compares whose set it says to be, which its signer has confirmed, with whose it must be. */
export function checkOrigin(
  pin: Pin,
  { fingerprint, host }: Pick<Manifest, 'fingerprint' | 'host'>,
): Finding {
  const whose = `${fingerprint} of ${host}`;
  if ('unknown' in pin) return notChecked(`it is by ${whose}, and ${pin.unknown}`);
  if (bareFingerprint(fingerprint) === pin.fingerprint) return ok(whose);
  return failed(`it is the set of another server, ${whose}; ${pin.from} has ${pin.fingerprint}`);
}
