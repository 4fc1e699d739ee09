import type { Configuration } from '../core/configuration.ts';
import { KeyTrusteeError } from '../core/errors.ts';
import { cipherString } from '../tls/ciphers.ts';
import { secureOptions } from '../tls/context.ts';
import { invalidNow, judgePair } from '../tls/judge.ts';
import { readChain, readKey } from '../tls/pair.ts';
import { passwordWarning } from '../tls/password.ts';

/** What `work` returns; where it fails for a reason that a person can mend, that reason is a fault. */
async function attempt<T>(faults: string[], work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    faults.push(error.message);
    return undefined;
  }
}

/** Looks at certificate, authorities, key, versions and ciphers as the server does when it starts. */
export async function checkTls(
  configuration: Configuration,
): Promise<{ faults: string[]; warnings: string[] }> {
  const faults: string[] = [];
  const warnings = passwordWarning(configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT);
  const { SSL_CIPHERS, SSL_MIN_VERSION, EXTERNAL_ADDRESS } = configuration;
  const ciphers = await attempt(faults, () => cipherString(SSL_CIPHERS, SSL_MIN_VERSION));
  const key = await attempt(faults, () => readKey(configuration));
  const chain = await attempt(faults, () => readChain(configuration));
  if (chain === undefined) return { faults, warnings };
  const pair = key === undefined ? undefined : { chain, key };
  if (pair !== undefined && ciphers !== undefined)
    await attempt(faults, () => secureOptions(pair, configuration));
  faults.push(...invalidNow({ chain }));
  return {
    faults,
    warnings: faults.length > 0 ? warnings : [...warnings, ...judgePair({ chain }, EXTERNAL_ADDRESS)],
  };
}
