import type { X509Certificate } from 'node:crypto';
import type { Account } from '../core/account.ts';
import { daysLeft } from '../tls/dates.ts';
import type { Verdict } from '../tls/fault.ts';
import { namesOf } from '../tls/names.ts';
import { harmless, subjectOf } from '../tls/words.ts';
import { type Assembly, assemble, type Given } from './candidate.ts';
import { placeFaults, placesOf } from './place.ts';

/** What `cert check` finds: everything that is wrong, and of which certificate, as far as one could be read. */
export interface Checked extends Verdict {
  subject: string | null;
  names: string[];
  notAfter: string | null;
  daysLeft: number | null;
  /** SHA-256. */
  fingerprint: string | null;
}

/** Where files stay: whose they have to be, and which directory is the server's alone. */
export interface Stay {
  account: Account;
  private?: string;
}

function describe(certificate: X509Certificate | undefined): Omit<Checked, keyof Verdict> {
  if (certificate === undefined)
    return { subject: null, names: [], notAfter: null, daysLeft: null, fingerprint: null };
  return {
    subject: subjectOf(certificate),
    names: namesOf(certificate).map(harmless),
    notAfter: new Date(certificate.validTo).toISOString(),
    daysLeft: daysLeft(certificate),
    fingerprint: certificate.fingerprint256,
  };
}

/**
 * Looks at files as a server would be given them, and finds everything that is wrong. Owners and modes count where the files
 * stay: those that are copied get their own.
 */
export async function checkFiles(given: Given, assembly: Assembly, stay?: Stay): Promise<Checked> {
  const { account, ...more } = stay ?? {};
  const placed = account === undefined ? [] : await placeFaults({ ...placesOf(given), ...more }, account);
  const { chain, faults, warnings } = await assemble(given, assembly);
  // That the service account cannot read a file is told better by where it lies.
  const isTold = placed.some(({ code }) => code === 'service-account');
  const others = faults.filter(({ code }) => !(isTold && code === 'unreadable'));
  return { faults: [...placed, ...others], warnings, ...describe(chain[0]) };
}
