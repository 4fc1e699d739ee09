import type { Expiry } from '../tls/expiry.ts';
import { closing, dateWords, onOneLine, opening, type Sender, type Wording } from './wording.ts';

/** A fingerprint is longer than a line. */
const HALF = 48;

const OWN = `A new one is asked for, and put to use without an interruption, by

  ktadmin cert request
  ktadmin cert rotate --pending --cert FILE

or, where the server signs its own certificate, by

  ktadmin cert rotate --self-sign`;

const AUTHORITY = `Ask the authority for its present certificates. They are put to use,
without an interruption, by

  ktadmin cert rotate --cert FILE --key FILE --ca FILE`;

/** Tells that a certificate expires, or has, and what to do. */
export function expiryWording(
  sender: Sender,
  port: number,
  { certificate, isOwn, at, words, days }: Expiry,
): Wording {
  const { subject, fingerprint256 } = certificate;
  const what = isOwn
    ? 'The TLS certificate by which clients know this server'
    : "An authority's certificate that is sent with the server's TLS certificate";
  const since = days < 0 ? 'Since then clients refuse' : 'From then on clients will refuse';
  return {
    subject: `KeyTrustee Certificate ${days < 0 ? 'Expired' : 'Expires'}`,
    text: `${opening(sender, 'an automatic')}
${what}
${words}, on
${dateWords(at)}.

  server       ${sender.host}:${port}
  certificate  ${onOneLine((subject ?? '').replaceAll('\n', ', '))}
  SHA-256      ${fingerprint256.slice(0, HALF)}
               ${fingerprint256.slice(HALF)}

${since} to talk to the server, and machines
do not get the keys that are kept there.

What is in use is shown, on the server, by

  ktadmin cert show

${isOwn ? OWN : AUTHORITY}

This mail comes once a day until the certificate was exchanged.

${closing(sender)}`,
  };
}
