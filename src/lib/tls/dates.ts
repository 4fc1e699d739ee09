import type { X509Certificate } from 'node:crypto';
import type { Fault, Verdict } from './fault.ts';
import { callIt, type Words } from './words.ts';

const DAY = 86_400_000;

/** With so many whole days left, or fewer, a certificate's expiry is warned of. */
export const SOON = 30;

const RENEW =
  'ask for a new one, ktadmin cert request writes the request, and put it to use by ktadmin cert rotate';
const RENEW_AUTHORITY = 'have its authority send the certificates that are valid now';

/** Days until a certificate expires; negative when it has. */
export function daysLeft(certificate: Pick<X509Certificate, 'validTo'>, now = Date.now()): number {
  return Math.floor((new Date(certificate.validTo).getTime() - now) / DAY);
}

/** A number of days, in words. */
export const countDays = (days: number) => `${days} day${days === 1 ? '' : 's'}`;

/** How far away a time is, before or behind, in words; milliseconds. */
export function distance(left: number): string {
  const whole = Math.floor(Math.abs(left) / DAY);
  return whole === 0 ? 'less than a day' : countDays(whole);
}

function inDays(left: number): string {
  if (left === 0) return 'within a day';
  return `in ${countDays(left)}`;
}

/** What is wrong with the time for which each certificate of a chain is valid. With a fault no client that checks connects. */
export function judgeDates(chain: X509Certificate[], words: Words, now: Date): Verdict {
  const verdict: Verdict = { faults: [], warnings: [] };
  for (const [place, certificate] of chain.entries()) {
    const name = callIt(certificate, place, words);
    const hint = place === 0 ? RENEW : RENEW_AUTHORITY;
    const { validFrom, validTo } = certificate;
    const left = daysLeft(certificate, now.getTime());
    const say = (code: Fault['code'], message: string, more = hint): Fault => ({ code, message, hint: more });
    if (new Date(validTo) < now) verdict.faults.push(say('expired', `${name} expired on ${validTo}`));
    else if (new Date(validFrom) > now)
      verdict.faults.push(
        say(
          'not-yet-valid',
          `${name} is valid only from ${validFrom}`,
          'look whether the clock is right (timedatectl), or wait until then',
        ),
      );
    else if (left <= SOON)
      verdict.warnings.push(say('expires-soon', `${name} expires on ${validTo}, ${inDays(left)}`));
  }
  return verdict;
}
