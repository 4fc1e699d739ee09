import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { confdirFiles } from '../core/config.ts';
import {
  type Configuration,
  configurationFaults,
  parseConfiguration,
  readRawConfiguration,
  unknownKeys,
} from '../core/configuration.ts';
import { configurationFields } from '../core/configuration-fields.ts';
import { errorCode } from '../core/errors.ts';
import { lstatOrNothing } from '../core/files.ts';
import { clusterAt, clusterExists, clusterFromRoot } from '../database/cluster.ts';
import { findServerKey } from '../gpg/server-key.ts';
import { nearest } from './nearest.ts';

/** What was found: faults stop the server or lose keys, warnings do not. */
export interface CheckResult {
  faults: string[];
  warnings: string[];
}

async function checkModes(confdir: string, configuration: Configuration): Promise<string[]> {
  const files = confdirFiles(confdir);
  const faults: string[] = [];
  for (const path of [files.configuration, files.secretKeys, files.ssl, configuration.SSL_PRIVATE_KEY]) {
    const stats = await lstatOrNothing(path);
    if (stats === undefined || stats.isSymbolicLink() || (stats.mode & 0o077) === 0) continue;
    faults.push(`${path} is open to other accounts: chmod ${stats.isDirectory() ? 700 : 600} ${path}`);
  }
  return faults;
}

async function readOr(name: string, path: string, faults: string[]): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reasons: Record<string, string> = { ENOENT: 'is missing', EACCES: 'may not be read' };
    faults.push(`${name} ${path} ${reasons[errorCode(error) ?? ''] ?? 'cannot be read'}`);
    return undefined;
  }
}

function parseOr<T>(parse: () => T, faults: string[], fault: string): T | undefined {
  try {
    return parse();
  } catch {
    faults.push(fault);
    return undefined;
  }
}

function checkValidity(certificate: X509Certificate): string[] {
  const now = new Date();
  if (new Date(certificate.validTo) < now) return [`SSL_CERTIFICATE expired on ${certificate.validTo}`];
  if (new Date(certificate.validFrom) > now)
    return [`SSL_CERTIFICATE is valid only from ${certificate.validFrom}`];
  return [];
}

async function checkPair(configuration: Configuration): Promise<string[]> {
  const faults: string[] = [];
  const { SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script } = configuration;
  const certificateText = await readOr('SSL_CERTIFICATE', SSL_CERTIFICATE, faults);
  const keyText = await readOr('SSL_PRIVATE_KEY', SSL_PRIVATE_KEY, faults);
  const certificate =
    certificateText === undefined
      ? undefined
      : parseOr(
          () => new X509Certificate(certificateText),
          faults,
          `SSL_CERTIFICATE ${SSL_CERTIFICATE} is no certificate in PEM form`,
        );
  if (certificate !== undefined) faults.push(...checkValidity(certificate));
  // A key with a password can only be opened by running the script, which a check does not do.
  if (keyText === undefined || script !== undefined) return faults;
  const fault = `SSL_PRIVATE_KEY ${SSL_PRIVATE_KEY} is no private key in PEM form without a password`;
  const key = parseOr(() => createPrivateKey(keyText), faults, fault);
  if (key !== undefined && certificate !== undefined && !certificate.checkPrivateKey(key))
    faults.push('SSL_PRIVATE_KEY does not belong to SSL_CERTIFICATE');
  return faults;
}

async function checkCluster(configuration: Configuration): Promise<string[]> {
  const { PG_ROOTDIR, DB_PORT } = configuration;
  if (!(await clusterExists(clusterAt(PG_ROOTDIR, DB_PORT))))
    return [`PG_ROOTDIR ${PG_ROOTDIR} holds no PostgreSQL cluster: ktadmin init makes it`];
  const { port } = await clusterFromRoot(PG_ROOTDIR);
  return port === DB_PORT
    ? []
    : [`DB_PORT is ${DB_PORT}, but ${PG_ROOTDIR}/postgresql.conf says port = ${port}`];
}

async function checkKey(confdir: string, configuration: Configuration): Promise<string[]> {
  const key = await findServerKey(confdirFiles(confdir), configuration.LOCAL_FINGERPRINT);
  return key === undefined
    ? [`the secret key of ${configuration.LOCAL_FINGERPRINT} is not in ${confdir}`]
    : [];
}

function describeUnknown(key: string): string {
  const meant = nearest(key, Object.keys(configurationFields));
  const question = meant === undefined ? '' : ` (is ${meant} meant?)`;
  return `${key} is not a setting that this version knows${question}`;
}

/** Looks at a server's configuration and at everything it names, and returns all that is wrong. Changes nothing. */
export async function checkServer(confdir: string): Promise<CheckResult> {
  const raw = await readRawConfiguration(confdir);
  const warnings = unknownKeys(raw).map(describeUnknown);
  const faults = configurationFaults(raw);
  if (faults.length > 0) return { faults, warnings };
  const configuration = parseConfiguration(confdirFiles(confdir).configuration, raw);
  const found = [
    ...(await checkModes(confdir, configuration)),
    ...(await checkPair(configuration)),
    ...(await checkCluster(configuration)),
    ...(await checkKey(confdir, configuration)),
  ];
  return { faults: found, warnings };
}
