import type { X509Certificate } from 'node:crypto';

/** How a certificate, its key and the host are called in what is said to a person. */
export interface Words {
  certificate: string;
  key: string;
  /** The command that prints the password of the key. */
  script: string;
  /** What stands behind the name of the host. */
  host: string;
}

/** The words for what an administrator hands over. */
export const GIVEN_WORDS: Words = {
  certificate: 'the certificate',
  key: 'the key',
  script: '--password-script',
  host: '',
};

/** The words for what keytrustee.conf names. */
export const SETTINGS_WORDS: Words = {
  certificate: 'SSL_CERTIFICATE',
  key: 'SSL_PRIVATE_KEY',
  script: 'SSL_PRIVATE_KEY_PASSWORD_SCRIPT',
  host: ', which EXTERNAL_ADDRESS names',
};

const LONGEST = 120;

/** Text of a certificate, which anybody may have written: short, and without characters that a terminal would obey. */
export function harmless(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  return plain.length > LONGEST ? `${plain.slice(0, LONGEST)}...` : plain;
}

/** The subject of a certificate on one line. */
export function subjectOf({ subject }: Pick<X509Certificate, 'subject'>): string {
  return subject ? harmless(subject.replaceAll('\n', ', ')) : 'without a subject';
}

/** Who issued a certificate, on one line. */
export function issuerOf({ issuer }: Pick<X509Certificate, 'issuer'>): string {
  return subjectOf({ subject: issuer });
}

/** How a certificate of a chain is called: the server's own by the words, each of the others by its subject. */
export function callIt(certificate: X509Certificate, place: number, words: Words): string {
  return place === 0 ? words.certificate : `the authority ${subjectOf(certificate)}`;
}
