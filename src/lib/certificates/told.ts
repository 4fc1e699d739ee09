import type { X509Certificate } from 'node:crypto';

/** Node separates the parts of a name by line ends, and has none where it is empty. */
const oneLine = (name: string | undefined) => (name ?? '').replaceAll('\n', ', ');

/** What a certificate is told of as. */
export function toldOf({ subject, issuer, fingerprint256: fingerprint, validTo }: X509Certificate) {
  return {
    ...{ subject: oneLine(subject), issuer: oneLine(issuer), fingerprint },
    validTo: new Date(validTo).toISOString(),
  };
}
