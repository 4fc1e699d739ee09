import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errorCode, failure } from '../../core/errors.ts';
import type { Cluster } from '../cluster.ts';
import { replicationFiles } from './place.ts';

/** How a server gets new certificates of the pair; `init` makes what is missing, spoilt, or about to expire. */
export const RENEW = 'ktadmin init; ktadmin db restart';

/** A certificate of the pair is made anew by `init` when it has no longer than this; milliseconds. `ha status` warns later. */
const RENEWAL = 60 * 86_400_000;

/** Whether `init` leaves a certificate of the pair as it is: it has time to go on with. */
export const isLasting = ({ validTo }: Pick<X509Certificate, 'validTo'>) =>
  Date.parse(validTo) - Date.now() > RENEWAL;

/** What a server shows the other one of its pair, and by which it knows that one; PEM. */
export interface OwnCertificate {
  authority: string;
  certificate: string;
  privateKey: string;
  /** When the certificate ends. */
  ends: Date;
  /** When that of the authority ends, and with it all that it has signed. */
  authorityEnds: Date;
}

const spoilt = (message: string, cause?: unknown) => failure('untrusted', message, RENEW, cause);

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw errorCode(error) === 'ENOENT' ? spoilt(`${path} is missing`, error) : error;
  }
}

function parsed<T>(parse: () => T, words: string): T {
  try {
    return parse();
  } catch (error) {
    throw spoilt(words, error);
  }
}

/** Reads a host's certificate of its pair, its key, and the certificate of the pair's authority; files that are none are named. */
export async function readOwnCertificate(cluster: Cluster): Promise<OwnCertificate> {
  const files = replicationFiles(cluster);
  const authority = await readPem(files.authority);
  const certificate = await readPem(files.certificate);
  const privateKey = await readPem(files.privateKey);
  const certificateAt = (path: string, pem: string) =>
    parsed(() => new X509Certificate(pem), `${path} is no certificate`);
  const issuer = certificateAt(files.authority, authority);
  const own = certificateAt(files.certificate, certificate);
  const key: KeyObject = parsed(() => createPrivateKey(privateKey), `${files.privateKey} is no private key`);
  if (!own.checkPrivateKey(key)) throw spoilt(`${files.privateKey} does not belong to ${files.certificate}`);
  const ends = new Date(own.validTo);
  return { authority, certificate, privateKey, ends, authorityEnds: new Date(issuer.validTo) };
}
