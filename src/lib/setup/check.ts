import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { confdirFiles } from '../core/config.ts';
import {
  type Configuration,
  configurationFaults,
  configurationFields,
  parseConfiguration,
  readRawConfiguration,
  unknownKeys,
} from '../core/configuration.ts';
import { errorCode } from '../core/errors.ts';
import { lstatOrNothing } from '../core/files.ts';
import { clusterAt, clusterExists, clusterFromRoot } from '../database/cluster.ts';
import { findServerKey } from '../gpg/server-key.ts';

/** What was found: faults stop the server or lose keys, warnings do not. */
export interface CheckResult {
  faults: string[];
  warnings: string[];
}

async function checkModes(confdir: string, configuration: Configuration): Promise<string[]> {
  const faults: string[] = [];
  for (const path of [confdirFiles(confdir).configuration, configuration.SSL_PRIVATE_KEY]) {
    const stats = await lstatOrNothing(path);
    if (stats !== undefined && (stats.mode & 0o077) !== 0)
      faults.push(`${path} is open to other accounts: chmod 600 ${path}`);
  }
  return faults;
}

async function readOr(path: string, faults: string[]): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    faults.push(`${path} cannot be read (${errorCode(error) ?? 'unknown reason'})`);
    return undefined;
  }
}

async function checkPair(configuration: Configuration): Promise<string[]> {
  const faults: string[] = [];
  const certificate = await readOr(configuration.SSL_CERTIFICATE, faults);
  const key = await readOr(configuration.SSL_PRIVATE_KEY, faults);
  if (
    certificate === undefined ||
    key === undefined ||
    configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT !== undefined
  )
    return faults;
  try {
    const parsed = new X509Certificate(certificate);
    if (!parsed.checkPrivateKey(createPrivateKey(key)))
      faults.push('SSL_PRIVATE_KEY does not belong to SSL_CERTIFICATE');
    if (new Date(parsed.validTo) < new Date()) faults.push(`SSL_CERTIFICATE expired on ${parsed.validTo}`);
  } catch {
    faults.push('SSL_CERTIFICATE or SSL_PRIVATE_KEY is not a PEM file that can be read');
  }
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

/** Words that differ in at most a few letters: probably meant to be the same. */
function similar(key: string): string {
  const wanted = key.toUpperCase().replaceAll(/[^A-Z]/g, '');
  const match = Object.keys(configurationFields).find((known) => known.replaceAll('_', '') === wanted);
  return match === undefined ? '' : ` (is ${match} meant?)`;
}

/** Looks at a server's configuration and at everything it names, and returns all that is wrong. Changes nothing. */
export async function checkServer(confdir: string): Promise<CheckResult> {
  const raw = await readRawConfiguration(confdir);
  const warnings = unknownKeys(raw).map(
    (key) => `${key} is not a setting that this version knows${similar(key)}`,
  );
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
