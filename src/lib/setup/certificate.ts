import { readFile } from 'node:fs/promises';
import { confdirFiles } from '../core/config.ts';
import type { Configuration } from '../core/configuration.ts';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import { exists, makePrivateDirectory, writeAtomically } from '../core/files.ts';
import type { Reporter } from '../core/reporter.ts';
import { selfSignedCertificate } from '../tls/self-signed.ts';
import { LOGGER } from './logger.ts';

const RENEW = 'put its certificate beside it, or move the key away so that both are made anew';

interface Found {
  hasKey: boolean;
  hasCertificate: boolean;
}

function refuseHalfPair(
  confdir: string,
  { SSL_CERTIFICATE, SSL_PRIVATE_KEY }: Configuration,
  { hasKey, hasCertificate }: Found,
): void {
  const files = confdirFiles(confdir);
  if (SSL_CERTIFICATE !== files.certificate || SSL_PRIVATE_KEY !== files.privateKey) {
    throw failure(
      'state',
      `${hasKey ? SSL_CERTIFICATE : SSL_PRIVATE_KEY}, which keytrustee.conf names, is missing`,
      'put the file back, or correct keytrustee.conf',
    );
  }
  if (!hasCertificate) return;
  throw failure(
    'conflict',
    `${SSL_CERTIFICATE} is there, but its private key is not`,
    'put the key back, or move the certificate away',
  );
}

async function makePair(host: string, keyFile: string | undefined) {
  try {
    return await selfSignedCertificate(
      host,
      keyFile === undefined ? undefined : await readFile(keyFile, 'utf8'),
    );
  } catch (error) {
    if (keyFile === undefined || !(error instanceof KeyTrusteeError)) throw error;
    throw failure(error.code, `${keyFile}: ${error.message}`, RENEW);
  }
}

/** Makes a self-signed certificate where there is none, and its key where that is missing too. Returns whether it did. */
export async function ensureCertificate(
  confdir: string,
  configuration: Configuration,
  reporter: Reporter,
): Promise<boolean> {
  const { SSL_CERTIFICATE: certificate, SSL_PRIVATE_KEY: key } = configuration;
  const found = { hasKey: await exists(key), hasCertificate: await exists(certificate) };
  if (found.hasKey && found.hasCertificate) return false;
  refuseHalfPair(confdir, configuration, found);
  await makePrivateDirectory(confdirFiles(confdir).ssl);
  reporter.log(LOGGER, 'INFO', 'Creating self-signed cert');
  const pair = await makePair(configuration.EXTERNAL_ADDRESS, found.hasKey ? key : undefined);
  if (!found.hasKey) await writeAtomically(key, pair.privateKey);
  await writeAtomically(certificate, pair.certificate);
  return true;
}
