import { basename, dirname, join } from 'node:path';
import { confdirFiles, DEFAULT_DATABASE_PORT, DEFAULT_PORT } from '../../core/config.ts';
import {
  type Configuration,
  parseConfiguration,
  type WrittenConfiguration,
} from '../../core/configuration.ts';
import { failure } from '../../core/errors.ts';
import { certificateOf, pathBelow } from './pair.ts';
import type { UnsignedSet } from './set.ts';

/** What a server needs to know that the original's configuration does not say; a value given here wins. */
export interface Additions {
  confdir: string;
  externalAddress: string | undefined;
  pgRootdir: string | undefined;
  databasePort: number | undefined;
  /** The name of the file that the set came in. */
  setName: string;
  /** What the server that is there now says of itself. */
  present: Record<string, unknown>;
}

const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** The host in the name of a set, in which underscores stand for dots, as host names have none. */
function hostInName(path: string): string | undefined {
  return /^kts_bak_(.+)_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d/.exec(basename(path))?.[1]?.replaceAll('_', '.');
}

async function hostInCertificate(set: UnsignedSet): Promise<string | undefined> {
  return /^CN=(.+)$/m.exec((await certificateOf(set))?.subject ?? '')?.[1];
}

async function addressOf(set: UnsignedSet, additions: Additions): Promise<string> {
  const candidates = [
    additions.externalAddress,
    set.configuration.EXTERNAL_ADDRESS,
    additions.present.EXTERNAL_ADDRESS,
    hostInName(additions.setName),
    hostInName(set.dump.path),
    await hostInCertificate(set),
  ];
  const found = candidates.find((value): value is string => typeof value === 'string' && HOST.test(value));
  if (found !== undefined) return found;
  throw failure('usage', 'the set does not say which host it is of', 'give --external-address');
}

/** The 3.x line wrote numbers as texts. */
const numeric = (value: unknown) =>
  typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;

/** A TLS file goes with the configuration directory; one that lies elsewhere stays there. */
function tlsPath(set: UnsignedSet, confdir: string, key: 'SSL_CERTIFICATE' | 'SSL_PRIVATE_KEY'): string {
  const below = pathBelow(set, key);
  return below === undefined ? String(set.configuration[key]) : join(confdir, below);
}

/** What an unsigned set's `keytrustee.conf` becomes: what it says, and what this program needs. */
export type CompletedConfiguration = WrittenConfiguration & Pick<Configuration, 'PORT' | 'DB_PORT'>;

/** The set's `keytrustee.conf` with everything that this program needs; keys that it does not know are kept. */
export async function completeConfiguration(
  set: UnsignedSet,
  additions: Additions,
): Promise<CompletedConfiguration> {
  const { confdir, present } = additions;
  const own = confdir === set.confdir ? set.configuration.PG_ROOTDIR : undefined;
  const { configuration: path } = confdirFiles(confdir);
  const completed = {
    ...set.configuration,
    LOCAL_FINGERPRINT: set.fingerprint,
    EXTERNAL_ADDRESS: await addressOf(set, additions),
    PORT: numeric(set.configuration.PORT) ?? present.PORT ?? DEFAULT_PORT,
    DB_PORT:
      additions.databasePort ??
      numeric(set.configuration.DB_PORT) ??
      present.DB_PORT ??
      DEFAULT_DATABASE_PORT,
    PG_ROOTDIR: additions.pgRootdir ?? own ?? present.PG_ROOTDIR ?? join(dirname(confdir), 'db'),
    SSL_CERTIFICATE: tlsPath(set, confdir, 'SSL_CERTIFICATE'),
    SSL_PRIVATE_KEY: tlsPath(set, confdir, 'SSL_PRIVATE_KEY'),
  };
  parseConfiguration(path, completed);
  // What has a default and is not said stays unsaid.
  return completed as CompletedConfiguration;
}
