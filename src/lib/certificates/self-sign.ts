import { X509Certificate } from 'node:crypto';
import { failure } from '../core/errors.ts';
import { reached } from '../core/steps.ts';
import { selfSign } from '../tls/self-signed.ts';
import {
  accountOf,
  type CertificatePlace,
  chooseKey,
  givenUp,
  type KeyAccount,
  openPending,
} from './choose-key.ts';
import { keepPending, pendingFiles, readPending } from './pending.ts';
import { type RecordIntent, settleKey, type Wanted, wantedNames } from './request.ts';
import { isSpent } from './spent.ts';

/** A self-signed certificate that waits to be put to use. */
export interface SelfSigned {
  /** PEM. */
  certificate: string;
  path: string;
  names: string[];
  /** SHA-256 of the certificate, as OpenSSL prints it. */
  fingerprint: string;
  validTo: string;
  key: KeyAccount;
  /** The public half of a key that waited and was removed. */
  discarded?: string;
}

/** A certificate for the key in use would lie beside another key, and nobody could tell which one it is for. */
async function refuseOtherKey({ sslDirectory, inUse }: CertificatePlace): Promise<void> {
  const pending = await readPending(sslDirectory);
  const { key } = pending;
  const waiting = openPending(pendingFiles(sslDirectory).key, pending);
  if (key === undefined || waiting === undefined || (await isSpent(waiting, inUse))) return;
  throw failure(
    'conflict',
    `${key.path} waits already: a key that is not the one in use`,
    'leave --reuse-key out to sign with that one, or give --discard-pending',
  );
}

/** Makes a self-signed certificate and keeps it beside its key. The caller has the lock of the certificates. */
export async function selfSignCertificate(
  place: CertificatePlace,
  { days, ...wanted }: Wanted & { days: number },
  record: RecordIntent,
): Promise<SelfSigned> {
  const { sslDirectory } = place;
  const { reuse, discard } = wanted.wish;
  const chosen = await chooseKey(place, wanted.wish);
  if (reuse && !discard) await refuseOtherKey(place);
  const { host, names: others } = wanted;
  const certificate = await selfSign({ host, names: others, days, key: chosen.key });
  const { fingerprint256: fingerprint, validTo } = new X509Certificate(certificate);
  const key = accountOf(chosen);
  const names = wantedNames(wanted);
  const discarded = await givenUp(place, wanted.wish);
  const { kind, origin } = key;
  await record({ names: names.join(' '), key: kind, fingerprint, origin, validTo, ...discarded });
  await settleKey(place, chosen);
  const path = await keepPending(sslDirectory, 'certificate', certificate);
  reached('cert-certificate-kept');
  return { certificate, path, names, fingerprint, validTo, key, ...discarded };
}
