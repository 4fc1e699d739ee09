import { type KeyObject, X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { Verdict } from './fault.ts';
import { belongs, continuePath, isIssuedBy } from './path.ts';
import { callIt, issuerOf, subjectOf, type Words } from './words.ts';

/** Whether a certificate is at the end of its chain. A server's own need not be allowed to sign certificates for that. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey);
  } catch {
    return false;
  }
}

function isIssuedPublicly(certificate: X509Certificate): boolean {
  return rootCertificates.some((pem) => isIssuedBy(certificate, new X509Certificate(pem)));
}

/** A chain as clients follow it, and what of it they have no use for. */
interface Followed {
  path: X509Certificate[];
  rest: X509Certificate[];
}

/**
 * The server's own certificate out of those in its file: the one that the key belongs to, and where none does, the first.
 * Those of the file of authorities are never it, whatever key there is.
 */
export function ownOf(file: X509Certificate[], key: KeyObject | undefined): X509Certificate | undefined {
  return (key === undefined ? undefined : file.find((one) => belongs(key, one))) ?? file[0];
}

const ORDER = "put them one behind the other: the server's own first, then each one's issuer:";

function judgeEnd({ path, rest }: Followed, words: Words): Verdict {
  const place = path.length - 1;
  const last = path[place] as X509Certificate;
  if (isSelfSigned(last) || isIssuedPublicly(last)) return { faults: [], warnings: [] };
  const who = callIt(last, place, words);
  const message = `the certificate of ${issuerOf(last)}, which issued ${who}, is missing`;
  const hint = 'name the file with the certificates of the authorities: --ca FILE, or SSL_CA_CERTIFICATE';
  // Clients that trust the last authority itself can do without its issuer.
  return place === 0 || rest.length > 0
    ? { faults: [{ code: 'chain-incomplete', message, hint }], warnings: [] }
    : { faults: [], warnings: [{ code: 'chain-incomplete', message, hint }] };
}

/** What is wrong with the way from a server's certificate to an authority that clients trust. */
export function judgeChain(chain: X509Certificate[], own: X509Certificate, words: Words): Verdict {
  const path = continuePath([own], chain);
  const rest = chain.filter((one) => !path.includes(one));
  const { faults, warnings } = judgeEnd({ path, rest }, words);
  if (path.some((one, place) => chain[place] !== one)) {
    const order = path.map(subjectOf).join('; ');
    const message = 'the chain is broken: its certificates are in the wrong order';
    faults.push({ code: 'chain-order', message, hint: `${ORDER} ${order}` });
  }
  if (faults.length === 0 && rest.length > 0) {
    const message = `${rest.map(subjectOf).join('; ')}: no part of the chain`;
    warnings.push({
      code: 'chain-order',
      message,
      hint: 'leave it out of the files, clients have no use for it',
    });
  }
  for (const issuer of path.slice(1)) {
    if (issuer.ca || isSelfSigned(issuer)) continue;
    const message = `${subjectOf(issuer)} issued a certificate of the chain, and is no authority (CA:FALSE)`;
    faults.push({ code: 'authority', message, hint: 'have the certificate issued by an authority' });
  }
  return { faults, warnings };
}
