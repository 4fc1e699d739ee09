import type { KeyObject, X509Certificate } from 'node:crypto';

/** Whether a private key belongs to a certificate. */
export function belongs(key: KeyObject, certificate: X509Certificate | undefined): boolean {
  try {
    return certificate?.checkPrivateKey(key) === true;
  } catch {
    // The certificate is for a kind of key that OpenSSL does not know.
    return false;
  }
}

/** Whether one certificate was issued by another: by its names, and by its signature. */
export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  } catch {
    return false;
  }
}

const isSame = (one: X509Certificate, other: X509Certificate) => one.raw.equals(other.raw);

/** Certificates, each once. */
export function eachOnce(certificates: X509Certificate[]): X509Certificate[] {
  return certificates.filter((one, place) => certificates.findIndex((other) => isSame(one, other)) === place);
}

/** A path of certificates with those behind it, out of many in any order, that go on with it: each issued the one before. */
export function continuePath(path: X509Certificate[], others: X509Certificate[]): X509Certificate[] {
  const last = path.at(-1);
  const next = others.find(
    (other) => last !== undefined && isIssuedBy(last, other) && !path.some((one) => isSame(one, other)),
  );
  return next === undefined ? path : continuePath([...path, next], others);
}

/**
 * The server's own certificate and those of its authorities behind it, out of a file in which the order means nothing (a
 * PKCS#12, a JKS, a PKCS#7). Its own is the one to which the key belongs, or else one that issued no other.
 */
export function ownFirst(certificates: X509Certificate[], key?: KeyObject): X509Certificate[] {
  const ends = certificates.filter(
    (one) => !certificates.some((other) => !isSame(one, other) && isIssuedBy(other, one)),
  );
  const ofKey = key === undefined ? undefined : certificates.find((one) => belongs(key, one));
  const own = ofKey ?? ends.find(({ ca }) => !ca) ?? ends[0] ?? certificates[0];
  return own === undefined ? [] : continuePath([own], certificates);
}
