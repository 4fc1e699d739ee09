/** One element of DER, or of BER where lengths may be left open (older PKCS #7 and PKCS #12 files have it so). */
export interface Element {
  tag: number;
  content: Buffer;
  /** With its tag and length: what follows in the file does not belong to it. */
  raw: Buffer;
}

export const TAG = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  identifier: 0x06,
  sequence: 0x30,
  context0: 0xa0,
};

/** No certificate, key or store nests deeper before what is looked for here. */
const DEEPEST = 32;

/** The element at the beginning of bytes; undefined where there is no whole one. */
export function readElement(bytes: Buffer, depth = 0): Element | undefined {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  if (first === 0x80) return readOpenEnded(bytes, depth);
  const more = first < 0x80 ? 0 : first & 0x7f;
  const start = 2 + more;
  if (more > 4 || bytes.length < start) return undefined;
  const end = start + (more === 0 ? first : bytes.readUIntBE(2, more));
  if (bytes.length < end) return undefined;
  return { tag, content: bytes.subarray(start, end), raw: bytes.subarray(0, end) };
}

function readOpenEnded(bytes: Buffer, depth: number): Element | undefined {
  if (depth > DEEPEST) return undefined;
  for (let place = 2; ; ) {
    const part = readElement(bytes.subarray(place), depth + 1);
    if (part === undefined) return undefined;
    const end = place + part.raw.length;
    if (part.tag === 0 && part.content.length === 0)
      return { tag: bytes[0] ?? 0, content: bytes.subarray(2, place), raw: bytes.subarray(0, end) };
    place = end;
  }
}

/** The elements that an element holds, as far as they are whole. */
export function partsOf({ content }: Element): Element[] {
  const parts: Element[] = [];
  for (let place = 0; place < content.length; ) {
    const part = readElement(content.subarray(place));
    if (part === undefined) break;
    parts.push(part);
    place += part.raw.length;
  }
  return parts;
}

/** Whether the tags of parts begin like this. */
export function beginsWith(parts: Element[], ...tags: number[]): boolean {
  return tags.every((tag, place) => parts[place]?.tag === tag);
}
