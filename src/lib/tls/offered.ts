import type { SecureVersion } from 'node:tls';
import { errorCode } from '../core/errors.ts';
import { SUITES } from './ciphers.ts';
import { type Endpoint, explainProbe, handshake, type Offer } from './probe.ts';

/** A version of TLS that a server speaks, by OpenSSL's name. */
export interface Spoken {
  protocol: SecureVersion;
  /** What it takes with that version, by OpenSSL's names, what it likes best first. */
  ciphers: string[];
}

const VERSIONS: SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** How long all of it may take; milliseconds. One connection takes less than ten. */
const LIMIT = 20_000;
/** Ciphers of one version that are looked for: more than OpenSSL has. */
const MOST = 250;

/** An offer of all that OpenSSL has for a version, however weak, but for some; undefined where nothing is left. */
function offerWithout(version: SecureVersion, without: string[]): Offer | undefined {
  const suites = SUITES.filter((suite) => !without.includes(suite));
  if (version === 'TLSv1.3' && suites.length === 0) return undefined;
  const older = ['ALL', 'COMPLEMENTOFALL', ...without.map((name) => `!${name}`), '@SECLEVEL=0'];
  const ciphers = (version === 'TLSv1.3' ? suites : older).join(':');
  return { minVersion: version, maxVersion: version, ciphers };
}

/** The cipher that is agreed upon; undefined where one side says that there is none. */
async function agreed(endpoint: Endpoint, offer: Offer, limit: number): Promise<string | undefined> {
  try {
    return (await handshake(endpoint, offer, limit)).cipher;
  } catch (error) {
    if (errorCode(error)?.startsWith('ERR_SSL_')) return undefined;
    throw explainProbe(endpoint, error);
  }
}

async function ciphersOf(endpoint: Endpoint, version: SecureVersion, end: number): Promise<string[]> {
  const ciphers: string[] = [];
  while (ciphers.length < MOST) {
    const offer = offerWithout(version, ciphers);
    const left = Math.max(1, end - performance.now());
    const cipher = offer === undefined ? undefined : await agreed(endpoint, offer, left);
    if (cipher === undefined) break;
    ciphers.push(cipher);
  }
  return ciphers;
}

/**
 * Which versions of TLS a server speaks, and which ciphers with each: it is asked again and again, each time without what
 * it took before. What this machine's own OpenSSL does not have cannot be found.
 */
export async function offered(endpoint: Endpoint, limit = LIMIT): Promise<Spoken[]> {
  const end = performance.now() + limit;
  const all = await Promise.all(
    VERSIONS.map(async (protocol) => ({ protocol, ciphers: await ciphersOf(endpoint, protocol, end) })),
  );
  return all.filter(({ ciphers }) => ciphers.length > 0);
}
