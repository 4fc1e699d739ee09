import type { Account } from '../core/account.ts';
import { confdirFiles } from '../core/config.ts';
import {
  type Configuration,
  parseConfiguration,
  readConfiguration,
  type Settings,
  writeConfiguration,
} from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import {
  exists,
  isDiskFull,
  makePrivateDirectory,
  sweep,
  withStagingDirectory,
  writeAtomically,
} from '../core/files.ts';
import { interruption } from '../core/interrupt.ts';
import { withLock } from '../core/lock.ts';
import type { Reporter } from '../core/reporter.ts';
import { findPostgres } from '../database/binaries.ts';
import { type Cluster, clusterAt, clusterExists } from '../database/cluster.ts';
import { createCluster } from '../database/cluster-create.ts';
import type { ListedKey } from '../gpg/listing.ts';
import { gpgVersion } from '../gpg/program.ts';
import { findServerKey, generateServerKey, qualifiedFingerprint } from '../gpg/server-key.ts';
import { ensureCertificate } from './certificate.ts';
import { adoptCopy } from './copy.ts';
import { LOGGER } from './logger.ts';
import { ensureAuthority, ensureReplication } from './replication.ts';
import { type InitializeRequest, unusedOptions } from './request.ts';

/** What was made; all false means that everything was there. */
export interface InitializeResult {
  fingerprint: string;
  made: { key: boolean; configuration: boolean; certificate: boolean; database: boolean };
}

const GPG_CONF = `# Options of GnuPG when this directory is its home.
no-auto-key-locate
no-auto-key-retrieve
no-emit-version
personal-digest-preferences SHA512 SHA384 SHA256
`;

const LOGGING_CONF = `# Log settings of the Key Trustee Server.
[loggers]
keys=root

[logger_root]
level=INFO
`;

async function makeKey(confdir: string, host: string): Promise<ListedKey> {
  return await withStagingDirectory(confdir, '.init-', async (staging) => {
    try {
      return await generateServerKey(confdirFiles(confdir), staging, host);
    } catch (error) {
      // The agent of GnuPG calls a full disk an unknown error.
      if (interruption.aborted || !(await isDiskFull(staging))) throw error;
      throw failure(
        'failed',
        'gpg: no space left on device',
        'free some space and run the command again',
        error,
      );
    }
  });
}

async function ensureKey(
  request: InitializeRequest,
  expected: string | undefined,
  reporter: Reporter,
): Promise<[string, boolean]> {
  const { confdir } = request;
  const files = confdirFiles(confdir);
  const found = await findServerKey(files, expected);
  if (found !== undefined) return [qualifiedFingerprint(found), false];
  if (expected !== undefined) {
    throw failure(
      'state',
      `${confdir} lacks the secret key of ${expected}`,
      `copy private-keys-v1.d and pubring.kbx of that server, or restore a backup`,
    );
  }
  const make = () => makeKey(confdir, request.newServer.EXTERNAL_ADDRESS);
  const key = await reporter.step("making the server's OpenPGP key (RSA 4096)", make);
  return [qualifiedFingerprint(key), true];
}

async function ensureConfiguration(
  request: InitializeRequest,
  fingerprint: string,
  existing: Configuration | undefined,
): Promise<Configuration> {
  if (existing !== undefined) return existing;
  const files = confdirFiles(request.confdir);
  const configuration = {
    LOCAL_FINGERPRINT: fingerprint,
    ...request.newServer,
    SSL_CERTIFICATE: files.certificate,
    SSL_PRIVATE_KEY: files.privateKey,
  };
  if (!(await exists(files.gpg))) await writeAtomically(files.gpg, GPG_CONF);
  if (!(await exists(files.logging))) await writeAtomically(files.logging, LOGGING_CONF);
  await writeConfiguration(request.confdir, configuration);
  return parseConfiguration(files.configuration, configuration);
}

async function readExisting(
  request: InitializeRequest,
  reporter: Reporter,
): Promise<Configuration | undefined> {
  const { confdir, typed } = request;
  if (!(await exists(confdirFiles(confdir).configuration))) return undefined;
  const existing = await adoptCopy(request, await readConfiguration(confdir), reporter);
  for (const line of unusedOptions(existing, typed)) reporter.log(LOGGER, 'WARNING', line);
  return existing;
}

/** The private cluster that is wanted. What it needs is looked for before anything is made. */
async function prepareCluster(request: InitializeRequest, existing: Configuration | undefined) {
  // What others run is not made here.
  if (existing?.DATABASE_URLS !== undefined) return undefined;
  const { PG_ROOTDIR, DB_PORT } = existing ?? request.newServer;
  const cluster = clusterAt(PG_ROOTDIR, DB_PORT);
  const isMissing = !(await clusterExists(cluster));
  if (isMissing) await findPostgres();
  return { cluster, isMissing };
}

/** Makes the private cluster where it is missing, and what a pair of servers needs. */
async function completeCluster(
  { cluster, isMissing }: { cluster: Cluster; isMissing: boolean },
  { confdir, account, configuration }: Settings,
  reporter: Reporter,
): Promise<void> {
  const authority = await ensureAuthority(confdir, reporter);
  const make = () => createCluster(cluster, account);
  if (isMissing) await reporter.step('making the database cluster', make);
  else await make();
  await ensureReplication(cluster, configuration.EXTERNAL_ADDRESS, authority, reporter);
}

/**
 * Makes a server, or what is missing of one: configuration directory, OpenPGP key, `keytrustee.conf`, TLS pair, database
 * cluster. What exists is kept as it is. Each part appears complete or not at all, so that an interrupted run is
 * finished by running it again.
 */
export async function initialize(
  request: InitializeRequest,
  account: Account,
  reporter: Reporter,
): Promise<InitializeResult> {
  const { confdir } = request;
  await gpgVersion();
  await makePrivateDirectory(confdir);
  return await withLock(confdir, 'init', async () => {
    await sweep(confdir, '.init-');
    const existing = await readExisting(request, reporter);
    const wanted = await prepareCluster(request, existing);
    const [fingerprint, key] = await ensureKey(request, existing?.LOCAL_FINGERPRINT, reporter);
    const configuration = await ensureConfiguration(request, fingerprint, existing);
    const certificate = await ensureCertificate(confdir, configuration, reporter);
    if (wanted !== undefined) await completeCluster(wanted, { confdir, account, configuration }, reporter);
    const database = wanted?.isMissing === true;
    return { fingerprint, made: { key, configuration: existing === undefined, certificate, database } };
  });
}
