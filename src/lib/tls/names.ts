import type { X509Certificate } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { failure } from '../core/errors.ts';
import { quote } from '../core/quote.ts';

/** A name in a certificate. */
export interface AlternativeName {
  type: 'dns' | 'ip';
  value: string;
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LONGEST = 253;

/** An address in its one shortest form, so that two ways to write it are the same name. */
function addressOf(text: string): string | undefined {
  if (isIP(text) === 4) return text;
  if (isIP(text) === 0 || text.includes('%')) return undefined;
  return new URL(`https://[${text}]`).hostname.slice(1, -1);
}

/** A name as DNS has it: a name in another script as punycode, without capitals. */
function domainOf(text: string): string | undefined {
  const isWild = text.startsWith('*.');
  const typed = isWild ? text.slice(2) : text;
  if (!/^[\p{L}\p{N}\p{M}.-]+$/u.test(typed)) return undefined;
  const name = /^[\x20-\x7e]*$/.test(typed) ? typed.toLowerCase() : domainToASCII(typed);
  const labels = name.split('.');
  // A name whose last label is a number would be taken for an address.
  if (!labels.every((label) => LABEL.test(label)) || /^\d+$/.test(labels.at(-1) ?? '')) return undefined;
  if (name.length > LONGEST || (isWild && labels.length < 2)) return undefined;
  return isWild ? `*.${name}` : name;
}

/** Reads a name that is to stand in a certificate: a host, `*.` and a domain, or an address; anything else is refused. */
export function alternativeName(text: string): AlternativeName {
  const address = addressOf(text);
  if (address !== undefined) return { type: 'ip', value: address };
  const domain = domainOf(text);
  if (domain !== undefined) return { type: 'dns', value: domain };
  throw failure(
    'usage',
    `${quote(text)} is no name for a certificate`,
    'give a host like kts01.example.com, *.example.com, or an IPv4 or IPv6 address',
  );
}

/** The names of a certificate: the host's first, as it is configured, then the others, each once. */
export function alternativeNames(host: string, others: AlternativeName[]): AlternativeName[] {
  const own: AlternativeName = { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
  const known = new Set([host.toLowerCase()]);
  return [own, ...others.filter(({ value }) => !known.has(value) && known.add(value))];
}

/** The longest common name (RFC 5280, upper bounds); a longer host stands among the alternative names alone. */
const LONGEST_COMMON_NAME = 64;

/** The common name of a host's subject, or none. */
export function commonName(host: string): [{ CN: string[] }] | [] {
  return host.length > LONGEST_COMMON_NAME ? [] : [{ CN: [host] }];
}

/** The alternative names as Node writes them, each behind its kind. */
const ENTRY = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g;
const ADDRESS = 'IP Address';

/** Node quotes what could be taken for several names. */
function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch {
    return text;
  }
}

function entriesOf({ subjectAltName }: X509Certificate): { kind: string; value: string }[] {
  return [...(subjectAltName ?? '').matchAll(ENTRY)].map(([, kind = '', text = '']) => {
    const value = unquote(text);
    // OpenSSL writes out every group of an address of IPv6.
    return { kind, value: kind === ADDRESS && isIPv6(value) ? (addressOf(value) ?? value) : value };
  });
}

const isHost = (kind: string) => kind === 'DNS' || kind === ADDRESS;

/** The alternative names of a certificate: hosts and addresses as they are, everything else behind its kind (`URI:…`). */
export function namesOf(certificate: X509Certificate): string[] {
  return entriesOf(certificate).map(({ kind, value }) => (isHost(kind) ? value : `${kind}:${value}`));
}

/** The hosts and addresses that a certificate is for; its common name is none, and an address of mail is none. */
export function hostsOf(certificate: X509Certificate): string[] {
  return entriesOf(certificate).flatMap(({ kind, value }) => (isHost(kind) ? [value] : []));
}
