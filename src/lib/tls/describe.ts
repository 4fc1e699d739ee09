import type { KeyObject, X509Certificate } from 'node:crypto';
import { daysLeft, distance } from './dates.ts';
import { namesOf } from './names.ts';

/** A certificate in plain data, for programs and for people. */
export interface Description {
  subject: string;
  issuer: string;
  /** The alternative names: hosts and addresses as they are, everything else behind its kind (`URI:…`). */
  names: string[];
  serial: string;
  /** UTC, whole seconds: `2026-11-22T05:55:12Z`. */
  validFrom: string;
  validTo: string;
  /** Whole days until it expires; negative when it has. */
  daysLeft: number;
  /** `29 days left`, `expired 1 day ago`, `valid from 2027-01-01T00:00:00Z`. */
  validity: string;
  key: { type: string; bits?: number; curve?: string };
  /** As openssl prints them: in capitals, with colons. */
  sha256: string;
  sha1: string;
}

/** OpenSSL's names of the curves that everybody else calls otherwise. */
const CURVES: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

/** A time of a certificate in UTC, whole seconds. */
function timeOf(text: string): string {
  return `${new Date(text).toISOString().slice(0, 19)}Z`;
}

/** A subject or an issuer in one line; Node separates its parts by line ends, and has none where it is empty. */
function oneLine(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ');
}

function keyOf(key: KeyObject): Description['key'] {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  return {
    type: key.asymmetricKeyType ?? 'unknown',
    ...(modulusLength === undefined ? {} : { bits: modulusLength }),
    ...(namedCurve === undefined ? {} : { curve: CURVES[namedCurve] ?? namedCurve }),
  };
}

function keyOfCertificate(certificate: X509Certificate): Description['key'] {
  try {
    return keyOf(certificate.publicKey);
  } catch {
    // A kind of key that this OpenSSL does not know.
    return { type: 'unknown' };
  }
}

/** How long a certificate is good yet, in words. */
function validityWords({ validFrom, validTo }: X509Certificate, now = Date.now()): string {
  if (new Date(validFrom).getTime() > now) return `valid from ${timeOf(validFrom)}`;
  const left = new Date(validTo).getTime() - now;
  return left < 0 ? `expired ${distance(left)} ago` : `${distance(left)} left`;
}

/** Describes a certificate. */
export function describe(certificate: X509Certificate, now = Date.now()): Description {
  const { subject, issuer, serialNumber, validFrom, validTo, fingerprint256, fingerprint } = certificate;
  return {
    ...{ subject: oneLine(subject), issuer: oneLine(issuer), names: namesOf(certificate) },
    ...{ serial: serialNumber, validFrom: timeOf(validFrom), validTo: timeOf(validTo) },
    ...{ daysLeft: daysLeft(certificate, now), validity: validityWords(certificate, now) },
    ...{ key: keyOfCertificate(certificate), sha256: fingerprint256, sha1: fingerprint },
  };
}
