import { isDeepStrictEqual } from 'node:util';
import { type Configuration, readConfiguration } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import type { App, Services } from './services.ts';
import { openTls } from './tls.ts';

/** What is read once, when the server starts. */
const AT_START = [
  ...['PORT', 'LISTEN_ADDRESS', 'WORKERS', 'METRICS_PORT'],
  ...['PG_ROOTDIR', 'DB_PORT', 'DATABASE_URLS', 'DATABASE_PASSWORD_FILE', 'AUDIT_DIR', 'LOCAL_FINGERPRINT'],
] as const satisfies (keyof Configuration)[];

/**
 * Reads keytrustee.conf, certificate and key again, and takes them over without touching a connection. All of it is
 * checked before anything is exchanged.
 */
export async function reloadSettings(app: App, services: Services): Promise<void> {
  const { settings, log } = services;
  const configuration = await readConfiguration(settings.confdir);
  const presented = await openTls(configuration);
  if (presented.invalid !== undefined)
    throw failure('untrusted', presented.invalid, 'the certificate that was there stays in use');
  app.server.setSecureContext(presented.options);
  services.settings = { ...settings, configuration };
  services.chain = presented.chain;
  // One of the processes tells for all.
  const changed = AT_START.filter(
    (name) => !isDeepStrictEqual(configuration[name], settings.configuration[name]),
  );
  const later = changed.map((name) => `${name} was changed, and is taken over when the server starts again`);
  if (services.worker === 1) for (const warning of [...later, ...presented.warnings]) log.warn(warning);
}
