import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { readSmallMember } from '../../archive/read.ts';
import { failure } from '../../core/errors.ts';
import type { UnsignedFiles } from './set.ts';

const USUAL = {
  SSL_CERTIFICATE: '.ssl/ssl-cert-keytrustee.pem',
  SSL_PRIVATE_KEY: '.ssl/ssl-cert-keytrustee-pk.pem',
};

/** The path of a TLS file below the configuration directory; undefined where `keytrustee.conf` names a file elsewhere. */
export function pathBelow(set: UnsignedFiles, key: keyof typeof USUAL): string | undefined {
  const value = set.configuration[key];
  if (typeof value !== 'string' || value === '') return USUAL[key];
  if (!value.startsWith('/')) return undefined;
  const place = join(value);
  return place.startsWith(`${set.confdir}/`) ? place.slice(set.confdir.length + 1) : undefined;
}

async function read(set: UnsignedFiles, key: keyof typeof USUAL): Promise<string | undefined> {
  const member = set.files.get(pathBelow(set, key) ?? '');
  return member === undefined ? undefined : (await readSmallMember(set.handle, member)).toString('utf8');
}

/** The set's certificate, where it is in the set and can be read. */
export async function certificateOf(set: UnsignedFiles): Promise<X509Certificate | undefined> {
  const text = await read(set, 'SSL_CERTIFICATE');
  try {
    return text === undefined ? undefined : new X509Certificate(text);
  } catch {
    return undefined;
  }
}

/** Whether the set's certificate and private key belong together, as far as that can be seen. */
export async function checkPair(set: UnsignedFiles): Promise<string> {
  const certificate = await certificateOf(set);
  const key = await read(set, 'SSL_PRIVATE_KEY');
  if (certificate === undefined || key === undefined) return 'certificate and private key are not both there';
  if (set.configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT !== undefined)
    return 'the private key of the certificate has a password and was not tried';
  let fits = false;
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return 'the private key of the certificate cannot be read';
  }
  if (fits) return 'certificate and private key belong together';
  throw failure(
    'untrusted',
    'the set is not whole: the certificate in it does not belong to the private key',
  );
}
