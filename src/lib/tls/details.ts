import type { X509Certificate } from 'node:crypto';
import { type Element, partsOf, readElement, TAG } from './der.ts';

/**
 * What Node does not tell of a certificate before version 24: its digest and what its key may do. They are read from the
 * DER form, which OpenSSL has checked already; the library that could do it costs the start of a server 100 ms and more.
 */
export interface Details {
  /** The digest of its signature where that is a broken one; undefined for every other. */
  weakDigest: string | undefined;
  /** Undefined where its key may do everything. */
  keyUsage: { digitalSignature: boolean; keyEncipherment: boolean } | undefined;
}

const EXTENSIONS = 0xa3;

/** The numbers of signatures (RFC 3279, 4055, 5758), DER without tag and length, and their digests. */
const SIGNATURES: Record<string, string> = {
  '2a864886f70d010102': 'MD2',
  '2a864886f70d010103': 'MD4',
  '2a864886f70d010104': 'MD5',
  '2a864886f70d010105': 'SHA-1',
  '2a8648ce3d0401': 'SHA-1',
  '2a8648ce380403': 'SHA-1',
  '2b0e03021d': 'SHA-1',
};
const RSA_PSS = '2a864886f70d01010a';

/** RSA-PSS names its digest in its parameters, and means SHA-1 where it names none (RFC 4055, 3.1). */
function weakDigestOf(algorithm: Element): string | undefined {
  const [id, parameters] = partsOf(algorithm);
  const name = id?.content.toString('hex') ?? '';
  if (name !== RSA_PSS) return SIGNATURES[name];
  const isNamed = parameters !== undefined && partsOf(parameters).some(({ tag }) => tag === TAG.context0);
  return isNamed ? undefined : 'SHA-1';
}

const KEY_USAGE = '551d0f';

const firstPart = (element: Element | undefined) => (element === undefined ? [] : partsOf(element))[0];

function keyUsageOf(tbs: Element): Details['keyUsage'] {
  const list = firstPart(partsOf(tbs).find(({ tag }) => tag === EXTENSIONS));
  for (const parts of (list === undefined ? [] : partsOf(list)).map(partsOf)) {
    if (parts[0]?.content.toString('hex') !== KEY_USAGE) continue;
    const value = parts.find(({ tag }) => tag === TAG.octets);
    const bits = value === undefined ? undefined : readElement(value.content);
    const flags = bits?.content[1] ?? 0;
    return { digitalSignature: (flags & 0x80) !== 0, keyEncipherment: (flags & 0x20) !== 0 };
  }
  return undefined;
}

/** Reads the digest of a certificate's signature, where it is a weak one, and what its key may do. */
export function detailsOf({ raw }: Pick<X509Certificate, 'raw'>): Details {
  const whole = readElement(raw);
  const [tbs, algorithm] = whole === undefined ? [] : partsOf(whole);
  if (tbs === undefined || algorithm === undefined) return { weakDigest: undefined, keyUsage: undefined };
  return { weakDigest: weakDigestOf(algorithm), keyUsage: keyUsageOf(tbs) };
}
