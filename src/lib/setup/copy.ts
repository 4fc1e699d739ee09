import { networkInterfaces } from 'node:os';
import { confdirFiles } from '../core/config.ts';
import { type Configuration, readConfiguration } from '../core/configuration.ts';
import { changeSettings } from '../core/configuration-change.ts';
import { exists } from '../core/files.ts';
import type { Reporter } from '../core/reporter.ts';
import { clusterAt, clusterExists } from '../database/cluster.ts';
import { rememberOrigin } from '../database/replication/prepare.ts';
import { LOGGER } from './logger.ts';
import type { InitializeRequest } from './request.ts';

/**
 * Whether a configuration directory came from another host and has never been a server of this one: it has the authority of a
 * pair, and neither `.ssl` nor database, which each server has from its first `init` on and which are never copied. A certificate
 * elsewhere tells nothing: both hosts may keep theirs at one path.
 */
export async function isCopied(confdir: string, settings: Configuration): Promise<boolean> {
  const files = confdirFiles(confdir);
  if (!(await exists(files.replication.certificate)) || (await exists(files.ssl))) return false;
  return !(await clusterExists(clusterAt(settings.PG_ROOTDIR, settings.DB_PORT)));
}

/** The same, where another host is named. */
async function isCopy({ confdir, newServer }: InitializeRequest, existing: Configuration): Promise<boolean> {
  // Servers on one database that others run have one name, too.
  if (existing.DATABASE_URLS !== undefined) return false;
  if (existing.EXTERNAL_ADDRESS === newServer.EXTERNAL_ADDRESS) return false;
  return await isCopied(confdir, existing);
}

function isOwn(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return ['::', '0.0.0.0', ...own.map((each) => each.address)].includes(address);
}

/** The certificate that `init` makes. */
const ownPair = ({ certificate, privateKey }: ReturnType<typeof confdirFiles>) => ({
  SSL_CERTIFICATE: certificate,
  SSL_PRIVATE_KEY: privateKey,
  SSL_PRIVATE_KEY_PASSWORD_SCRIPT: undefined,
  SSL_CA_CERTIFICATE: undefined,
});

/**
 * Makes the settings of a copied server this host's own, by one rename: its name, and the places of the certificate that it will
 * have, unless the host has one where the copied settings say. The key of the server and everything else stays: that is what makes the two a pair.
 */
export async function adoptCopy(
  request: InitializeRequest,
  existing: Configuration,
  reporter: Reporter,
): Promise<Configuration> {
  if (!(await isCopy(request, existing))) return existing;
  const files = confdirFiles(request.confdir);
  const { EXTERNAL_ADDRESS } = request.newServer;
  const { LISTEN_ADDRESS, SSL_CERTIFICATE, SSL_PRIVATE_KEY } = existing;
  await rememberOrigin(clusterAt(existing.PG_ROOTDIR, existing.DB_PORT), existing.EXTERNAL_ADDRESS);
  const isForeign = LISTEN_ADDRESS !== undefined && !isOwn(LISTEN_ADDRESS);
  const hasPair = (await exists(SSL_CERTIFICATE)) && (await exists(SSL_PRIVATE_KEY));
  await changeSettings(files.configuration, {
    EXTERNAL_ADDRESS,
    ...(hasPair ? {} : ownPair(files)),
    ...(isForeign ? { LISTEN_ADDRESS: undefined } : {}),
  });
  const was = `EXTERNAL_ADDRESS was ${existing.EXTERNAL_ADDRESS}`;
  reporter.log(LOGGER, 'INFO', `Settings are a copy of another server's: ${was}, is ${EXTERNAL_ADDRESS}`);
  return await readConfiguration(request.confdir);
}
