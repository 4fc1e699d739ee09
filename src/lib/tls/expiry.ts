import type { X509Certificate } from 'node:crypto';
import { daysLeft, distance, SOON } from './dates.ts';

/** When the first certificate of a chain expires: with it, clients that check refuse the whole chain. */
export interface Expiry {
  certificate: X509Certificate;
  /** Whether it is the server's own; else that of an authority which is sent with it. */
  isOwn: boolean;
  at: Date;
  /** Whole days until then; negative when it is over. */
  days: number;
  /** 30 days are left, or fewer. */
  isNear: boolean;
  /** `expires in 29 days`, `expired 1 day ago`. */
  words: string;
}

/** How far away the end of a validity is, in words; milliseconds. */
function words(left: number): string {
  return left < 0 ? `expired ${distance(left)} ago` : `expires in ${distance(left)}`;
}

/** Which certificate of a chain expires first, and when; undefined of an empty one. */
export function nextExpiry(chain: X509Certificate[], now = Date.now()): Expiry | undefined {
  const ends = chain.map((certificate) => new Date(certificate.validTo).getTime());
  const end = Math.min(...ends);
  const certificate = chain[ends.indexOf(end)];
  if (certificate === undefined) return undefined;
  const left = end - now;
  const days = daysLeft(certificate, now);
  return {
    ...{ certificate, isOwn: certificate === chain[0], at: new Date(end) },
    ...{ days, isNear: days <= SOON, words: words(left) },
  };
}
