import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import {
  connect,
  createSecureContext,
  type SecureContextOptions,
  type SecureVersion,
  TLSSocket,
} from 'node:tls';
import { SUITES } from './ciphers.ts';
import type { Protocol } from './context.ts';
import { VERSIONS } from './context.ts';
import type { Fault, Verdict } from './fault.ts';
import type { Words } from './words.ts';

/** Everything that OpenSSL speaks. */
const EVERY_CIPHER = [...SUITES, 'ALL', '@SECLEVEL=0'].join(':');

/**
 * The cipher upon which a server and a client that speaks everything agree in one version of TLS; undefined where they
 * cannot. They talk to each other within this process: no list of names knows as well what a key can be used for.
 */
async function agreedCipher(
  options: SecureContextOptions,
  version: SecureVersion,
): Promise<string | undefined> {
  const [near, far] = duplexPair();
  const server = new TLSSocket(far, { isServer: true, secureContext: createSecureContext(options) });
  const only = { minVersion: version, maxVersion: version, ciphers: EVERY_CIPHER };
  const client = connect({ socket: near, rejectUnauthorized: false, ...only });
  const refused = new Promise<undefined>((resolve) => {
    for (const side of [server, client]) side.on('error', () => resolve(undefined));
  });
  try {
    return await Promise.race([
      once(client, 'secureConnect').then(
        () => client.getCipher().name,
        () => undefined,
      ),
      refused,
    ]);
  } finally {
    client.destroy();
    server.destroy();
  }
}

const NAMES: Record<string, string> = {
  TLSv1: 'TLS 1.0',
  'TLSv1.1': 'TLS 1.1',
  'TLSv1.2': 'TLS 1.2',
  'TLSv1.3': 'TLS 1.3',
};
const MODERN = ['TLSv1.2', 'TLSv1.3'];

/** What is negotiated in each version that the settings allow. */
export interface Agreed extends Verdict {
  ciphers: string[];
}

function describe(version: SecureVersion, kind: string, words: Words): Fault {
  return {
    code: 'protocol',
    message: `SSL_CIPHERS leaves nothing of ${NAMES[version]} with ${words.key}, which is of the type ${kind}`,
    hint: hintFor(version, kind),
  };
}

function hintFor(version: SecureVersion, kind: string): string {
  const cipher = `ECDHE-${kind === 'rsa' ? 'RSA' : 'ECDSA'}-AES256-GCM-SHA384`;
  if (version === 'TLSv1.3') return 'name one of its suites in SSL_CIPHERS, such as TLS_AES_256_GCM_SHA384';
  if (version === 'TLSv1.2')
    return `name a cipher for this key in SSL_CIPHERS, such as ${cipher}, or set SSL_MIN_VERSION to tlsv1.3`;
  return 'set SSL_MIN_VERSION to tlsv1.2, or name a cipher of that version in SSL_CIPHERS';
}

/** A list that limits nothing, because the versions for which it is are not spoken. */
function judgeList({ SSL_MIN_VERSION, SSL_CIPHERS }: Protocol): Fault[] {
  if (SSL_MIN_VERSION !== 'tlsv1.3' || SSL_CIPHERS.trim() === '' || SSL_CIPHERS.includes('TLS_')) return [];
  return [
    {
      code: 'protocol',
      message:
        'SSL_CIPHERS names ciphers of TLS 1.2 and before alone, and SSL_MIN_VERSION tlsv1.3 speaks none of them',
      hint: 'name suites of TLS 1.3, such as TLS_AES_256_GCM_SHA384, or leave SSL_CIPHERS empty: the usual ones are spoken',
    },
  ];
}

/** Tries every version that is allowed, and tells of those for which nothing is left with this very key. */
export async function judgeAgreement(
  options: SecureContextOptions,
  protocol: Protocol,
  kind: string,
  words: Words,
): Promise<Agreed> {
  const agreed: Agreed = { faults: [], warnings: judgeList(protocol), ciphers: [] };
  const all = Object.values(VERSIONS);
  const versions = all.slice(all.indexOf(VERSIONS[protocol.SSL_MIN_VERSION]));
  for (const version of versions) {
    const cipher = await agreedCipher(options, version);
    if (cipher !== undefined) agreed.ciphers.push(cipher);
    else (MODERN.includes(version) ? agreed.faults : agreed.warnings).push(describe(version, kind, words));
  }
  if (agreed.ciphers.length > 0) return agreed;
  const message = `SSL_MIN_VERSION and SSL_CIPHERS leave nothing with ${words.key}, which is of the type ${kind}`;
  const hint = 'use a certificate with RSA 2048 or P-256, or name ciphers for this key in SSL_CIPHERS';
  return { faults: [{ code: 'protocol', message, hint }], warnings: [], ciphers: [] };
}
