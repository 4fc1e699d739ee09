import type { X509Certificate } from 'node:crypto';

/** What a certificate is told of as. */
export function toldOf({ subject, fingerprint256: fingerprint, validTo }: X509Certificate) {
  const name = (subject as string | undefined) ?? '';
  return {
    ...{ subject: name.replaceAll('\n', ', '), fingerprint },
    validTo: new Date(validTo).toISOString(),
  };
}
