import type { Client, ClientChange } from '../clients/client.ts';
import type { Terminal } from './terminal.ts';

/** Says what happened to a client, and returns it for `--json`. */
export function reportClient(
  { client, before }: ClientChange,
  terminal: Terminal,
): Client & { changed: boolean } {
  const changed = client.state !== before;
  const text = changed
    ? `client ${client.fingerprint} is now ${client.state}`
    : `client ${client.fingerprint} is ${client.state} already`;
  terminal.notice(text);
  return { ...client, changed };
}
