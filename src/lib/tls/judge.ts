import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TlsPair } from './pair.ts';

const DAY = 86_400_000;

/** A certificate that is about to expire is warned of this long before; days. */
const SOON = 30;

/** Days until a certificate expires; negative when it has. */
export function daysLeft(certificate: X509Certificate, now = Date.now()): number {
  return Math.floor((new Date(certificate.validTo).getTime() - now) / DAY);
}

function nameOf(certificate: X509Certificate, place: number): string {
  const subject = certificate.subject?.replaceAll('\n', ', ') ?? 'without a subject';
  return place === 0 ? 'SSL_CERTIFICATE' : `the authority ${subject}`;
}

/** Which certificates of a chain are not valid now. With them no client that checks can connect. */
export function invalidNow({ chain }: Pick<TlsPair, 'chain'>, now = new Date()): string[] {
  return chain.flatMap((certificate, place) => {
    const name = nameOf(certificate, place);
    if (new Date(certificate.validTo) < now) return [`${name} expired on ${certificate.validTo}`];
    if (new Date(certificate.validFrom) > now) return [`${name} is valid only from ${certificate.validFrom}`];
    return [];
  });
}

function findGap({ chain }: Pick<TlsPair, 'chain'>): string[] {
  const gap = chain.findIndex(
    (certificate, place) =>
      place + 1 < chain.length && !certificate.checkIssued(chain[place + 1] ?? certificate),
  );
  if (gap === -1) return [];
  const name = nameOf(chain[gap] as X509Certificate, gap);
  return [`the chain is broken: behind ${name} must come the certificate of the authority that issued it`];
}

/** What is not right with a certificate and its chain although a server can start with it. */
export function judgePair(pair: Pick<TlsPair, 'chain'>, host: string): string[] {
  const [own] = pair.chain;
  if (own === undefined) return [];
  const left = daysLeft(own);
  // Asked for an address that is none, the check would throw.
  const isName = (isIP(host) === 0 ? own.checkHost(host) : own.checkIP(host)) !== undefined;
  return [
    ...findGap(pair),
    ...(isName ? [] : [`SSL_CERTIFICATE is not for ${host}, which EXTERNAL_ADDRESS names`]),
    ...(left >= 0 && left < SOON ? [`SSL_CERTIFICATE expires on ${own.validTo}`] : []),
  ];
}
