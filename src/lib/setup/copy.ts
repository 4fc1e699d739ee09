import { networkInterfaces } from 'node:os';
import { confdirFiles } from '../core/config.ts';
import { type Configuration, readConfiguration } from '../core/configuration.ts';
import { changeSettings } from '../core/configuration-change.ts';
import { exists } from '../core/files.ts';
import type { Reporter } from '../core/reporter.ts';
import { clusterAt, clusterExists } from '../database/cluster.ts';
import { LOGGER } from './logger.ts';
import type { InitializeRequest } from './request.ts';

/**
 * Whether a configuration directory was copied from the active server of a pair to this host: it has the authority of the pair,
 * and neither certificate nor database, which are never copied, and it names another host.
 */
async function isCopy({ confdir, newServer }: InitializeRequest, existing: Configuration): Promise<boolean> {
  const { EXTERNAL_ADDRESS, SSL_CERTIFICATE, SSL_PRIVATE_KEY, PG_ROOTDIR, DB_PORT } = existing;
  // Servers on one database that others run have one name, too.
  if (existing.DATABASE_URLS !== undefined) return false;
  if (EXTERNAL_ADDRESS === newServer.EXTERNAL_ADDRESS) return false;
  if (!(await exists(confdirFiles(confdir).replication.certificate))) return false;
  if ((await exists(SSL_CERTIFICATE)) || (await exists(SSL_PRIVATE_KEY))) return false;
  return !(await clusterExists(clusterAt(PG_ROOTDIR, DB_PORT)));
}

function isOwn(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return ['::', '0.0.0.0', ...own.map((each) => each.address)].includes(address);
}

/**
 * Makes the settings of a copied server this host's own, by one rename: its name, and the places of the certificate that it will
 * have. The key of the server and everything else stays: that is what makes the two a pair.
 */
export async function adoptCopy(
  request: InitializeRequest,
  existing: Configuration,
  reporter: Reporter,
): Promise<Configuration> {
  if (!(await isCopy(request, existing))) return existing;
  const files = confdirFiles(request.confdir);
  const { EXTERNAL_ADDRESS } = request.newServer;
  const { LISTEN_ADDRESS } = existing;
  const isForeign = LISTEN_ADDRESS !== undefined && !isOwn(LISTEN_ADDRESS);
  await changeSettings(files.configuration, {
    EXTERNAL_ADDRESS,
    SSL_CERTIFICATE: files.certificate,
    SSL_PRIVATE_KEY: files.privateKey,
    SSL_PRIVATE_KEY_PASSWORD_SCRIPT: undefined,
    SSL_CA_CERTIFICATE: undefined,
    ...(isForeign ? { LISTEN_ADDRESS: undefined } : {}),
  });
  const was = `EXTERNAL_ADDRESS was ${existing.EXTERNAL_ADDRESS}`;
  reporter.log(LOGGER, 'INFO', `Settings are a copy of another server's: ${was}, is ${EXTERNAL_ADDRESS}`);
  return await readConfiguration(request.confdir);
}
