import { type KeyObject, webcrypto } from 'node:crypto';
import { load } from '../core/lazy.ts';
import { type AlternativeName, alternativeNames, commonName } from './names.ts';
import { signerOf } from './signer.ts';

/**
 * Makes a signing request (PKCS #10, PEM) for a host: the host is its common name, where it is short enough for one, and
 * always the first of its alternative names.
 */
export async function signingRequest(
  host: string,
  key: KeyObject,
  others: AlternativeName[] = [],
): Promise<string> {
  const x509 = await load('x509');
  const { algorithm, keys } = await signerOf(key);
  const name = commonName(host);
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name,
      keys: keys as never,
      signingAlgorithm: algorithm,
      // Where there is no subject, the alternative names must be understood (RFC 5280, 4.1.2.6).
      extensions: [
        new x509.SubjectAlternativeNameExtension(alternativeNames(host, others), name.length === 0),
      ],
    },
    webcrypto as never,
  );
  return `${request.toString('pem')}\n`;
}
