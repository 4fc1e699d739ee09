import type { X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { Configuration } from '../core/configuration.ts';
import { secureOptions } from '../tls/context.ts';
import { judgeDates } from '../tls/dates.ts';
import { readPair } from '../tls/pair.ts';
import { passwordWarning } from '../tls/password.ts';
import { judge } from '../tls/verdict.ts';
import { SETTINGS_WORDS } from '../tls/words.ts';

/** What a server presents to its clients. */
export interface Presented {
  options: SecureContextOptions;
  /** The server's own certificate first. */
  chain: X509Certificate[];
  /** What is not right with it although it can be presented. */
  warnings: string[];
  /** That its own certificate is not valid now, where that is so. */
  invalid: string | undefined;
}

/** Reads and checks what the settings name: certificate, authorities, key, versions and ciphers. */
export async function openTls(configuration: Configuration): Promise<Presented> {
  const { EXTERNAL_ADDRESS: host, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script } = configuration;
  const pair = await readPair(configuration);
  const options = secureOptions(pair, configuration);
  const { faults, warnings } = await judge(pair, { host, protocol: configuration, words: SETTINGS_WORDS });
  const own = judgeDates(pair.chain.slice(0, 1), SETTINGS_WORDS, new Date());
  return {
    options,
    chain: pair.chain,
    warnings: [...[...faults, ...warnings].map(({ message }) => message), ...passwordWarning(script)],
    invalid: own.faults[0]?.message,
  };
}
