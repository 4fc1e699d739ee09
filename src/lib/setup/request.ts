import { dirname, join } from 'node:path';
import { DEFAULT_DATABASE_PORT, DEFAULT_PORT } from '../core/config.ts';
import type { Configuration } from '../core/configuration.ts';

/** What a new server is to be. */
export type NewServer = Pick<Configuration, 'EXTERNAL_ADDRESS' | 'PORT' | 'DB_PORT' | 'PG_ROOTDIR'>;

/** What was typed for a server. */
export interface Typed {
  externalAddress: string | undefined;
  port: number | undefined;
  databasePort: number | undefined;
  pgRootdir: string | undefined;
}

/** A server to make, or to complete. Values that an existing `keytrustee.conf` has win over these. */
export interface InitializeRequest {
  confdir: string;
  typed: Typed;
  newServer: NewServer;
}

/** What was typed, with defaults filled in: the cluster lies in `db` beside the configuration directory. */
export function planServer(confdir: string, typed: Typed, proposedAddress: string): InitializeRequest {
  const newServer = {
    EXTERNAL_ADDRESS: typed.externalAddress ?? proposedAddress,
    PORT: typed.port ?? DEFAULT_PORT,
    DB_PORT: typed.databasePort ?? DEFAULT_DATABASE_PORT,
    PG_ROOTDIR: typed.pgRootdir ?? join(dirname(confdir), 'db'),
  };
  return { confdir, typed, newServer };
}

/** What was typed and is not used, because an existing `keytrustee.conf` says otherwise; one line each. */
export function unusedOptions(existing: NewServer, typed: Typed): string[] {
  const options = [
    ['--external-address', typed.externalAddress, 'EXTERNAL_ADDRESS'],
    ['--port', typed.port, 'PORT'],
    ['--database-port', typed.databasePort, 'DB_PORT'],
    ['--pg-rootdir', typed.pgRootdir, 'PG_ROOTDIR'],
  ] as const;
  return options
    .filter(([, value, key]) => value !== undefined && value !== existing[key])
    .map(([flag, value, key]) => `${flag} ${value} is not used: keytrustee.conf has ${key} ${existing[key]}`);
}
