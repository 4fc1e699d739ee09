import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { detailsOf } from './details.ts';
import type { Fault } from './fault.ts';
import { hostsOf } from './names.ts';
import { isSelfSigned } from './trust.ts';
import { harmless, type Words } from './words.ts';

/** More names than these are not listed; there are certificates with a hundred. */
const LISTED = 5;

/** A host as certificates name it: international names in their ASCII form, without a dot at the end. */
function written(host: string): string {
  return isIP(host) === 0 ? (domainToASCII(host) || host).replace(/\.$/, '') : host;
}

/** What a certificate is for, in place of the host that it is not for. */
function insteadOf(certificate: X509Certificate, host: string): string {
  const names = hostsOf(certificate).map(harmless);
  if (names.includes(host)) return `: ${host} stands there as a name (DNS) and not as an address (IP)`;
  const isSubject = isIP(host) === 0 && certificate.checkHost(host, { subject: 'always' }) !== undefined;
  if (isSubject && names.length === 0)
    return ': the name stands in its subject alone (CN), where clients do not look';
  if (names.length === 0)
    return certificate.subjectAltName === undefined
      ? ': it has no subjectAltName'
      : ': its subjectAltName has no host';
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `, but for ${names.slice(0, LISTED).join(', ')}${more}`;
}

/** Whether a certificate is for a host, as clients see it: by subjectAltName alone, an asterisk for one whole label. */
export function judgeHost(certificate: X509Certificate, name: string, words: Words): Fault[] {
  const host = written(name);
  const isNamed =
    isIP(host) === 0
      ? certificate.checkHost(host, { subject: 'never', partialWildcards: false }) !== undefined
      : certificate.checkIP(host) !== undefined;
  if (isNamed) return [];
  const message = `${words.certificate} is not for ${name}${words.host}${insteadOf(certificate, host)}`;
  return [{ code: 'host', message, hint: `ask for one with this name: ktadmin cert request --san ${host}` }];
}

const SERVER = '1.3.6.1.5.5.7.3.1';

/** Uses that a certificate leaves out although a server needs them. */
export function judgeUsage(certificate: X509Certificate, words: Words): Fault[] {
  const faults: Fault[] = [];
  const say = (message: string, hint: string) =>
    faults.push({ code: 'key-usage', message: `${words.certificate} ${message}`, hint });
  const { keyUsage } = detailsOf(certificate);
  if (keyUsage?.digitalSignature === false)
    say(
      'does not let its key sign (keyUsage has no digitalSignature)',
      'have it issued again as a certificate for a TLS server, with digitalSignature in keyUsage',
    );
  // What Node calls keyUsage is the extended one.
  const extended: string[] | undefined = certificate.keyUsage;
  if (extended !== undefined && !extended.includes(SERVER))
    say(
      'is not for servers (extendedKeyUsage has no serverAuth)',
      'have it issued again as a certificate for a TLS server, with serverAuth in extendedKeyUsage',
    );
  return faults;
}

/** RSA keys that may not decrypt cannot be used with the oldest way of agreeing upon a key. */
export function judgeExchange(certificate: X509Certificate, ciphers: string[], words: Words): Fault[] {
  const { keyUsage } = detailsOf(certificate);
  const plain = ciphers.find((name) => !/^(?:TLS_|ECDHE-|DHE-)/.test(name));
  if (plain === undefined || keyUsage?.keyEncipherment !== false) return [];
  return [
    {
      code: 'key-usage',
      message: `${words.certificate} does not let its key decrypt (keyUsage has no keyEncipherment), as ${plain} needs`,
      hint: 'have it issued again with keyEncipherment in keyUsage, or name ciphers that begin with ECDHE-RSA in SSL_CIPHERS',
    },
  ];
}

/** An authority's own certificate: some clients refuse a server that presents it as its own. */
export function judgeRole(certificate: X509Certificate, words: Words): Fault[] {
  if (!certificate.ca) return [];
  const who = isSelfSigned(certificate) ? 'a self-signed authority' : 'an authority';
  return [
    {
      code: 'authority',
      message: `${words.certificate} is that of ${who} (CA:TRUE), and some clients refuse it for a server`,
      hint: 'ktadmin cert self-sign makes one for a server, or ktadmin cert request a request for one',
    },
  ];
}
