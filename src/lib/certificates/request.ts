import { reached } from '../core/steps.ts';
import type { AlternativeName } from '../tls/names.ts';
import { alternativeNames } from '../tls/names.ts';
import { signingRequest } from '../tls/request.ts';
import {
  accountOf,
  type CertificatePlace,
  type ChosenKey,
  chooseKey,
  givenUp,
  type KeyAccount,
  type KeyWish,
} from './choose-key.ts';
import { discardPending, keepPending } from './pending.ts';

/** What a certificate is asked for, or made for. */
export interface Wanted {
  host: string;
  names: AlternativeName[];
  wish: KeyWish;
}

/** Takes what is about to be done, for the audit trail. */
export type RecordIntent = (what: Record<string, string>) => Promise<void>;

/** A signing request, and whose key it is for. */
export interface Requested {
  /** PEM. */
  request: string;
  path: string;
  names: string[];
  key: KeyAccount;
  /** The public half of a key that waited and was removed. */
  discarded?: string;
}

/** The names of a certificate as they are told. */
export function wantedNames({ host, names }: Pick<Wanted, 'host' | 'names'>): string[] {
  return alternativeNames(host, names).map(({ value }) => value);
}

/** Gives up what waits where that is wanted, and keeps a key that was just made. */
export async function settleKey(
  { sslDirectory }: CertificatePlace,
  { key, origin, clear }: ChosenKey,
): Promise<void> {
  if (clear) await discardPending(sslDirectory);
  reached('cert-discarded');
  if (origin === 'new')
    await keepPending(sslDirectory, 'key', key.export({ type: 'pkcs8', format: 'pem' }) as string);
  reached('cert-key-kept');
}

/** Makes a signing request and keeps it, with its key where that is new. The caller has the lock of the certificates. */
export async function requestCertificate(
  place: CertificatePlace,
  wanted: Wanted,
  record: RecordIntent,
): Promise<Requested> {
  const chosen = await chooseKey(place, wanted.wish);
  const request = await signingRequest(wanted.host, chosen.key, wanted.names);
  const key = accountOf(chosen);
  const names = wantedNames(wanted);
  const discarded = await givenUp(place, wanted.wish);
  const { kind, fingerprint, origin } = key;
  await record({ names: names.join(' '), key: kind, fingerprint, origin, ...discarded });
  await settleKey(place, chosen);
  const path = await keepPending(place.sslDirectory, 'request', request);
  reached('cert-request-kept');
  return { request, path, names, key, ...discarded };
}
