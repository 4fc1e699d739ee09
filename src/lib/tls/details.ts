import type { X509Certificate } from 'node:crypto';

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

/** One element of DER: its tag and what is in it. */
interface Element {
  tag: number;
  content: Buffer;
}

const SEQUENCE = 0x30;
const EXTENSIONS = 0xa3;
const OCTETS = 0x04;

/** The elements that lie behind one another in a piece of DER. */
function elementsOf(der: Buffer): Element[] {
  const found: Element[] = [];
  let place = 0;
  while (place + 2 <= der.length) {
    const tag = der[place] as number;
    const first = der[place + 1] as number;
    const wide = first < 0x80 ? 0 : first - 0x80;
    if (wide > 4 || place + 2 + wide > der.length) return found;
    const start = place + 2 + wide;
    const length = wide === 0 ? first : der.readUIntBE(place + 2, wide);
    found.push({ tag, content: der.subarray(start, start + length) });
    place = start + length;
  }
  return found;
}

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
function weakDigestOf(algorithm: Buffer): string | undefined {
  const [id, parameters] = elementsOf(algorithm);
  const name = id?.content.toString('hex') ?? '';
  if (name !== RSA_PSS) return SIGNATURES[name];
  const isNamed = elementsOf(parameters?.content ?? Buffer.alloc(0)).some(({ tag }) => tag === 0xa0);
  return isNamed ? undefined : 'SHA-1';
}

const KEY_USAGE = '551d0f';

function keyUsageOf(tbs: Buffer): Details['keyUsage'] {
  const extensions = elementsOf(tbs).find(({ tag }) => tag === EXTENSIONS);
  const [list] = elementsOf(extensions?.content ?? Buffer.alloc(0));
  for (const { content } of elementsOf(list?.content ?? Buffer.alloc(0))) {
    const parts = elementsOf(content);
    if (parts[0]?.content.toString('hex') !== KEY_USAGE) continue;
    const octets = parts.find(({ tag }) => tag === OCTETS);
    const bits = elementsOf(octets?.content ?? Buffer.alloc(0))[0]?.content[1] ?? 0;
    return { digitalSignature: (bits & 0x80) !== 0, keyEncipherment: (bits & 0x20) !== 0 };
  }
  return undefined;
}

/** Reads the digest of a certificate's signature, where it is a weak one, and what its key may do. */
export function detailsOf({ raw }: Pick<X509Certificate, 'raw'>): Details {
  const [whole] = elementsOf(raw);
  const [tbs, algorithm] = whole?.tag === SEQUENCE ? elementsOf(whole.content) : [];
  if (tbs === undefined || algorithm === undefined) return { weakDigest: undefined, keyUsage: undefined };
  return { weakDigest: weakDigestOf(algorithm.content), keyUsage: keyUsageOf(tbs.content) };
}
