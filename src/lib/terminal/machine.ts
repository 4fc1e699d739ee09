import { type KeyTrusteeClient, openClient } from '../client/client.ts';
import { option } from './command.ts';
import type { Terminal } from './terminal.ts';
import { path } from './values.ts';

/** `--home`, of every `client` command. The server's `--confdir` has nothing to do with a client. */
export const home = option(
  '--home <dir>',
  "the client's directory (default: $KEYTRUSTEE_HOME, else ~/.keytrustee)",
  path,
);

/** Where a client lies, as the library takes it. */
export function placeOf(values: { home: string | undefined }, terminal: Terminal) {
  return { ...(values.home === undefined ? {} : { home: values.home }), warn: terminal.warn };
}

/** Opens the registered client of this machine, and closes its connections afterwards. */
export async function withClient<T>(
  values: { home: string | undefined },
  terminal: Terminal,
  work: (client: KeyTrusteeClient) => Promise<T>,
): Promise<T> {
  const client = await openClient(placeOf(values, terminal));
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
