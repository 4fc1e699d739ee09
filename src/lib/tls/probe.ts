import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { errorCode, failure, type KeyTrusteeError } from '../core/errors.ts';
import { SUITES } from './ciphers.ts';

/** Where a server is looked for, and by which name. */
export interface Endpoint {
  host: string;
  port: number;
  /** The name that is asked for (SNI); default: the host. An address is never asked for: TLS knows names alone. */
  servername?: string | undefined;
}

/** What a server presents to a client. */
export interface Presentation {
  /** As they came: the server's own first. Nothing is sorted, left out or added. */
  chain: X509Certificate[];
  /** `TLSv1` to `TLSv1.3`. */
  protocol: string;
  /** OpenSSL's name of what was agreed upon. */
  cipher: string;
}

/** Which versions and ciphers a client offers. */
export interface Offer {
  minVersion: SecureVersion;
  maxVersion: SecureVersion;
  /** OpenSSL's list of ciphers. */
  ciphers: string;
}

/** How long one connection may take; milliseconds. */
const LIMIT = 5000;

/** Everything but what has no certificate: who looks must see what is presented, however old it is. */
const EVERYTHING: Offer = {
  minVersion: 'TLSv1',
  maxVersion: 'TLSv1.3',
  ciphers: `${SUITES.join(':')}:ALL:!aNULL:@SECLEVEL=0`,
};

/** No chain is longer. A server that sends more is not followed for ever. */
const LONGEST = 100;

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  // Of the certificate of a peer this property is the next one that it sent, whoever issued which; what
  // getPeerCertificate returns is sorted, and filled up from this machine's own store.
  let next = socket.getPeerX509Certificate();
  while (next !== undefined && chain.length < LONGEST) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

/** Connects and shakes hands as a client that trusts everybody; rejects with what Node and OpenSSL say. */
export async function handshake(
  { host, port, servername = host }: Endpoint,
  offer: Offer,
  limit = LIMIT,
): Promise<Presentation> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ ...offer, host, port, servername: isIP(servername) === 0 ? servername : '' },
      ...{ rejectUnauthorized: false, checkServerIdentity: () => undefined },
    });
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })), limit);
    socket.once('secureConnect', () => {
      const { name } = socket.getCipher();
      resolve({ chain: chainOf(socket), protocol: socket.getProtocol() ?? '', cipher: name });
      socket.destroySoon();
    });
    // What comes after the handshake changes nothing of what was seen.
    socket.on('error', reject);
    socket.once('close', () => clearTimeout(timer));
  });
}

const NOTHING_SHARED = 'the server shares no version or cipher with this client';

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ETIMEDOUT: 'no answer in time',
  ECONNRESET: 'the server ended the connection',
  EPIPE: 'the server ended the connection',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EADDRNOTAVAIL: 'the address cannot be reached from this host',
  ENOTFOUND: 'the name has no address',
  EAI_AGAIN: 'the name could not be looked up',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what listens there speaks no TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'what listens there speaks no TLS',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: NOTHING_SHARED,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: NOTHING_SHARED,
};

/** Where a server was looked for, for people: `kts01.example.com:443`, `[::1]:443`. */
function placeName({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What kept a client from a server, for people. */
export function explainProbe(endpoint: Endpoint, error: unknown): KeyTrusteeError {
  const code = errorCode(error) ?? '';
  const reason = REASONS[code] ?? (code === '' ? 'it failed' : `TLS failed there (${code})`);
  return failure(
    'unreachable',
    `${placeName(endpoint)}: ${reason}`,
    `openssl s_client -connect ${placeName(endpoint)} shows what happens`,
    error,
  );
}

/** Connects as a client that verifies nothing, and tells all that it was presented. */
export async function probe(endpoint: Endpoint, limit = LIMIT): Promise<Presentation> {
  try {
    return await handshake(endpoint, EVERYTHING, limit);
  } catch (error) {
    throw explainProbe(endpoint, error);
  }
}

/** Where a client on this machine connects to for an address on which a server listens: `https://[::]:443`. */
export function endpointOf(address: string, servername?: string): Endpoint {
  const { hostname, port } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, '');
  const loopback: Record<string, string> = { '::': '::1', '0.0.0.0': '127.0.0.1' };
  // A URL leaves out the port that is its scheme's own.
  return { host: loopback[host] ?? host, port: Number(port === '' ? 443 : port), servername };
}
