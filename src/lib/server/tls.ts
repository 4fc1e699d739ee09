import type { X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { Configuration } from '../core/configuration.ts';
import { secureOptions } from '../tls/context.ts';
import { invalidNow, judgePair } from '../tls/judge.ts';
import { readPair } from '../tls/pair.ts';
import { passwordWarning } from '../tls/password.ts';

/** What a server presents to its clients. */
export interface Presented {
  options: SecureContextOptions;
  certificate: X509Certificate | undefined;
  /** What is not right with it although it can be presented. */
  warnings: string[];
}

/** Reads and checks what the settings name: certificate, authorities, key, versions and ciphers. */
export async function openTls(configuration: Configuration): Promise<Presented> {
  const pair = await readPair(configuration);
  const options = secureOptions(pair, configuration);
  const warnings = [
    ...invalidNow(pair),
    ...judgePair(pair, configuration.EXTERNAL_ADDRESS),
    ...passwordWarning(configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT),
  ];
  return { options, certificate: pair.chain[0], warnings };
}
