import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { confdirFiles } from '../core/config.ts';
import { failure } from '../core/errors.ts';
import { exists, makePrivateDirectory, writeAtomically } from '../core/files.ts';
import type { Reporter } from '../core/reporter.ts';
import type { Cluster } from '../database/cluster.ts';
import { isLasting } from '../database/replication/own-certificate.ts';
import { prepareReplication } from '../database/replication/prepare.ts';
import {
  issueInternalCertificate,
  makeInternalAuthority,
  renewInternalAuthority,
} from '../tls/internal-authority.ts';
import type { CertificatePair } from '../tls/self-signed.ts';
import { LOGGER } from './logger.ts';

function refused(directory: string, what: string): Error {
  const hint = 'copy it from the other server of the pair; where there is none, move it away';
  return failure('conflict', `${directory} holds ${what}`, hint);
}

function isPair(certificate: string, privateKey: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
  } catch {
    return false;
  }
}

/** Renews the certificate of an authority in good time; the key stays, so the other server of the pair need not know. */
async function renewed(
  authority: CertificatePair,
  path: string,
  reporter: Reporter,
): Promise<CertificatePair> {
  if (isLasting(new X509Certificate(authority.certificate))) return authority;
  const certificate = await renewInternalAuthority(authority);
  await writeAtomically(path, certificate);
  const until = new Date(new X509Certificate(certificate).validTo).toISOString().slice(0, 10);
  reporter.log(LOGGER, 'INFO', `the authority of the pair was renewed: it is valid until ${until}`);
  return { ...authority, certificate };
}

/**
 * The authority of a pair, made where there is none, and renewed where it ends soon. Both servers have it: the procedure of a
 * pair copies the configuration directory, and each signs its own certificate.
 */
export async function ensureAuthority(confdir: string, reporter: Reporter): Promise<CertificatePair> {
  const files = confdirFiles(confdir).replication;
  await makePrivateDirectory(files.directory);
  if (!(await exists(files.certificate))) {
    const made = await makeInternalAuthority();
    // The certificate comes last: its being there means that both are.
    await writeAtomically(files.privateKey, made.privateKey);
    await writeAtomically(files.certificate, made.certificate);
    return made;
  }
  if (!(await exists(files.privateKey)))
    throw refused(files.directory, 'the certificate of an authority without its key');
  const [certificate = '', privateKey = ''] = await Promise.all(
    [files.certificate, files.privateKey].map((path) => readFile(path, 'utf8')),
  );
  if (!isPair(certificate, privateKey))
    throw refused(files.directory, 'files that are no authority: a certificate and its key');
  return renewed({ certificate, privateKey }, files.certificate, reporter);
}

/** Prepares a server for a pair, without making it one. What is there is kept. */
export async function ensureReplication(
  cluster: Cluster,
  address: string,
  authority: CertificatePair,
  reporter: Reporter,
): Promise<void> {
  const issue = (name: string, hosts: string[]) => issueInternalCertificate(authority, name, hosts);
  const isChanged = await prepareReplication(cluster, { certificate: authority.certificate, issue }, address);
  if (isChanged && (await exists(`${cluster.data}/postmaster.pid`)))
    reporter.log(
      LOGGER,
      'INFO',
      'PostgreSQL is prepared for a passive server; ktadmin db restart applies that',
    );
}
