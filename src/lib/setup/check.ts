import { stat } from 'node:fs/promises';
import { confdirFiles } from '../core/config.ts';
import {
  type Configuration,
  configurationFaults,
  parseConfiguration,
  readRawConfiguration,
  unknownKeys,
} from '../core/configuration.ts';
import { configurationFields } from '../core/configuration-fields.ts';
import { type DatabaseHost, databaseHosts, hostName } from '../core/database-url.ts';
import { lstatOrNothing } from '../core/files.ts';
import { clusterAt, clusterExists, clusterFromRoot } from '../database/cluster.ts';
import { findServerKey } from '../gpg/server-key.ts';
import { checkTls } from './check-tls.ts';
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

/** What connections to a database elsewhere are made with: each file there, and what is secret closed to others. */
async function checkHosts(
  { DATABASE_PASSWORD_FILE: passwords }: Configuration,
  hosts: DatabaseHost[],
): Promise<string[]> {
  const secret = new Set([passwords, ...hosts.map(({ sslkey }) => sslkey)]);
  const open = hosts.flatMap(({ sslrootcert, sslcert }) => [sslrootcert, sslcert]);
  const faults: string[] = [];
  for (const path of new Set([...secret, ...open])) {
    if (path === undefined) continue;
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isFile() !== true) faults.push(`${path}, which the database is reached with, is not a file`);
    else if (secret.has(path) && (stats.mode & 0o077) !== 0)
      faults.push(`${path} is open to other accounts: chmod 600 ${path}`);
  }
  return faults;
}

/** What guards nobody who listens or answers in another's place. */
function hostWarnings(urls: string[] = []): string[] {
  return databaseHosts(urls).flatMap((host) => {
    if (host.sslmode === 'verify-full') return [];
    const what = host.sslmode === 'disable' ? 'is not encrypted' : 'is not checked for who answers';
    return [`the connection to ${hostName(host)} ${what}: sslmode=verify-full does both`];
  });
}

async function checkCluster(configuration: Configuration): Promise<string[]> {
  const { PG_ROOTDIR, DB_PORT, DATABASE_URLS } = configuration;
  if (DATABASE_URLS !== undefined) return checkHosts(configuration, databaseHosts(DATABASE_URLS));
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

/** Looks at a server's configuration and at what it names, but for certificate and key, which `also` may look at. */
export async function checkSettings(
  confdir: string,
  also: (configuration: Configuration) => Promise<CheckResult> = async () => ({ faults: [], warnings: [] }),
): Promise<CheckResult> {
  const raw = await readRawConfiguration(confdir);
  const warnings = unknownKeys(raw).map(describeUnknown);
  const faults = configurationFaults(raw);
  if (faults.length > 0) return { faults, warnings };
  const configuration = parseConfiguration(confdirFiles(confdir).configuration, raw);
  const more = await also(configuration);
  const found = [
    ...(await checkModes(confdir, configuration)),
    ...more.faults,
    ...(await checkCluster(configuration)),
    ...(await checkKey(confdir, configuration)),
  ];
  const { DATABASE_URLS } = configuration;
  return { faults: found, warnings: [...warnings, ...more.warnings, ...hostWarnings(DATABASE_URLS)] };
}

/** Looks at a server's configuration and at everything it names, and returns all that is wrong. Changes nothing. */
export async function checkServer(confdir: string): Promise<CheckResult> {
  return checkSettings(confdir, checkTls);
}
