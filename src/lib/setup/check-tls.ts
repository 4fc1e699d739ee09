import type { Configuration } from '../core/configuration.ts';
import { KeyTrusteeError } from '../core/errors.ts';
import { stopsServer } from '../tls/fault.ts';
import { readChain, readKey } from '../tls/pair.ts';
import { passwordWarning } from '../tls/password.ts';
import { judge } from '../tls/verdict.ts';
import { SETTINGS_WORDS } from '../tls/words.ts';

/** What `work` returns; where it fails for a reason that a person can mend, that reason is a fault. */
async function attempt<T>(faults: string[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    faults.push(error.message);
    return undefined;
  }
}

/**
 * Looks at certificate, authorities, key, versions and ciphers as the server does when it starts. What lets it start all the
 * same is a warning here; `cert check` is stricter.
 */
export async function checkTls(
  configuration: Configuration,
): Promise<{ faults: string[]; warnings: string[] }> {
  const faults: string[] = [];
  const key = await attempt(faults, () => readKey(configuration));
  const chain = (await attempt(faults, () => readChain(configuration))) ?? [];
  const { EXTERNAL_ADDRESS: host, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script } = configuration;
  const verdict = await judge({ chain, key }, { host, protocol: configuration, words: SETTINGS_WORDS });
  faults.push(...verdict.faults.filter(stopsServer).map(({ message }) => message));
  const warnings = passwordWarning(script);
  // Where the server does not even start, that is to be read first.
  if (faults.length === 0)
    warnings.push(...[...verdict.faults, ...verdict.warnings].map(({ message }) => message));
  return { faults, warnings };
}
