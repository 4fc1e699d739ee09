import { readFile } from 'node:fs/promises';
import type { Account } from '../core/account.ts';
import { confdirFiles } from '../core/config.ts';
import { type Configuration, readConfiguration, writeConfiguration } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import { exists, makePrivateDirectory, sweep, withStagingDirectory, writeAtomically } from '../core/files.ts';
import type { Reporter } from '../core/reporter.ts';
import { checkSocketPath, clusterAt, clusterExists } from '../database/cluster.ts';
import { createCluster } from '../database/cluster-create.ts';
import { gpgVersion } from '../gpg/program.ts';
import { findServerKey, generateServerKey, qualifiedFingerprint } from '../gpg/server-key.ts';
import { selfSignedCertificate } from '../tls/self-signed.ts';

/** The name under which the original product logs the making of certificates. */
const LOGGER = 'keytrustee.server.util';

/** What a new server is to be. Values that an existing `keytrustee.conf` has win over these. */
export interface InitializeRequest {
  confdir: string;
  externalAddress: string;
  port: number;
  databasePort: number;
  pgRootdir: string;
}

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
  const key = await reporter.step('making the server’s OpenPGP key (RSA 4096)', () =>
    withStagingDirectory(confdir, '.init-', (staging) =>
      generateServerKey(files, staging, request.externalAddress),
    ),
  );
  return [qualifiedFingerprint(key), true];
}

async function ensureCertificate(
  confdir: string,
  configuration: Configuration,
  reporter: Reporter,
): Promise<boolean> {
  const files = confdirFiles(confdir);
  const { SSL_CERTIFICATE: certificate, SSL_PRIVATE_KEY: privateKey, EXTERNAL_ADDRESS: host } = configuration;
  const hasKey = await exists(privateKey);
  if ((await exists(certificate)) && hasKey) return false;
  if (certificate !== files.certificate || privateKey !== files.privateKey) {
    throw failure(
      'state',
      `${hasKey ? certificate : privateKey}, which keytrustee.conf names, is missing`,
      'put the file back, or correct keytrustee.conf',
    );
  }
  if (await exists(certificate)) {
    throw failure(
      'conflict',
      `${certificate} is there, but its private key is not`,
      'put the key back, or move the certificate away',
    );
  }
  await makePrivateDirectory(files.ssl);
  reporter.log(LOGGER, 'INFO', 'Creating self-signed cert');
  const pair = await selfSignedCertificate(host, hasKey ? await readFile(privateKey, 'utf8') : undefined);
  if (!hasKey) await writeAtomically(privateKey, pair.privateKey);
  await writeAtomically(certificate, pair.certificate);
  return true;
}

async function ensureConfiguration(
  request: InitializeRequest,
  fingerprint: string,
  existing: Configuration | undefined,
): Promise<Configuration> {
  if (existing !== undefined) return existing;
  const files = confdirFiles(request.confdir);
  const configuration: Configuration = {
    LOCAL_FINGERPRINT: fingerprint,
    EXTERNAL_ADDRESS: request.externalAddress,
    PORT: request.port,
    DB_PORT: request.databasePort,
    PG_ROOTDIR: request.pgRootdir,
    SSL_CERTIFICATE: files.certificate,
    SSL_PRIVATE_KEY: files.privateKey,
  };
  if (!(await exists(files.gpg))) await writeAtomically(files.gpg, GPG_CONF);
  if (!(await exists(files.logging))) await writeAtomically(files.logging, LOGGING_CONF);
  await writeConfiguration(request.confdir, configuration);
  return configuration;
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
  checkSocketPath(clusterAt(request.pgRootdir, request.databasePort));
  await makePrivateDirectory(confdir);
  await sweep(confdir, '.init-');
  const hasConfiguration = await exists(confdirFiles(confdir).configuration);
  const existing = hasConfiguration ? await readConfiguration(confdir) : undefined;
  const [fingerprint, key] = await ensureKey(request, existing?.LOCAL_FINGERPRINT, reporter);
  const configuration = await ensureConfiguration(request, fingerprint, existing);
  const certificate = await ensureCertificate(confdir, configuration, reporter);
  const cluster = clusterAt(configuration.PG_ROOTDIR, configuration.DB_PORT);
  const database = !(await clusterExists(cluster));
  const make = () => createCluster(cluster, account);
  if (database) await reporter.step('making the database cluster', make);
  else await make();
  return { fingerprint, made: { key, configuration: !hasConfiguration, certificate, database } };
}
