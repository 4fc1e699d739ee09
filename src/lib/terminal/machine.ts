import { type KeyTrusteeClient, openClient } from '../client/client.ts';
import { type OptionValues, option } from './command.ts';
import type { Terminal } from './terminal.ts';
import { duration, path } from './values.ts';

/** What every `client` command may be given. The server's `--confdir` has nothing to do with a client. */
export const reach = {
  home: option(
    '--home <dir>',
    "the client's directory (default: $KEYTRUSTEE_HOME, else ~/.keytrustee)",
    path,
  ),
  timeout: option('--timeout <time>', 'when to give up, retries included (default: 60s)', duration),
};

/** The values of `reach`. */
export type Reach = OptionValues<typeof reach>;

/** Where a client lies and how long it tries, as the library takes it. */
export function reachOf({ home, timeout }: Reach, terminal: Terminal) {
  return {
    ...(home === undefined ? {} : { home }),
    ...(timeout === undefined ? {} : { timeout: timeout * 1000 }),
    warn: terminal.warn,
  };
}

/** Opens the registered client of this machine, and closes its connections afterwards. */
export async function withClient<T>(
  values: Reach,
  terminal: Terminal,
  work: (client: KeyTrusteeClient) => Promise<T>,
): Promise<T> {
  const client = await openClient(reachOf(values, terminal));
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
