import { X509Certificate } from 'node:crypto';

/** The forms in which certificates and keys are handed over. */
export type Form = 'PEM' | 'DER' | 'PKCS#12' | 'PKCS#7' | 'JKS';

/** A private key as it was found in a file. */
export interface FoundKey {
  /** PEM text; of a key that lies in DER, its PEM form. It may be encrypted. */
  pem: string;
  isLocked: boolean;
}

/** What a file holds. */
export interface Material {
  form: Form;
  /** In the order in which the file has them. */
  certificates: X509Certificate[];
  keys: FoundKey[];
}

/** Asks for a password when it turns out that one is needed. */
export type PasswordSource = () => Promise<string>;

const PEM_CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const PEM_KEY = /-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]+?-----END [A-Z0-9 ]*PRIVATE KEY-----/g;

/** Recognizes what a file holds by its bytes; undefined where it is nothing that is known. */
export function recognize(bytes: Buffer): Material | undefined {
  const text = bytes.toString('latin1');
  const certificates = (text.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
  const keys = [...text.matchAll(PEM_KEY)].map(([pem]) => ({ pem, isLocked: /ENCRYPTED/.test(pem) }));
  return certificates.length + keys.length === 0 ? undefined : { form: 'PEM', certificates, keys };
}
