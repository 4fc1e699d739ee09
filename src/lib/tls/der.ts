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

/** Nothing that is looked for here has more parts; who makes up a file of a million does not hold up the program. */
const MOST_PARTS = 4096;

/** Where an element's content lies, and where the whole of it ends. */
interface Extent {
  start: number;
  finish: number;
  end: number;
}

function extentAt(bytes: Buffer, place: number, depth: number): Extent | undefined {
  const [tag, first] = [bytes[place], bytes[place + 1]];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  if (first === 0x80) return openEndedAt(bytes, place, depth);
  const more = first < 0x80 ? 0 : first & 0x7f;
  const start = place + 2 + more;
  if (more > 4 || bytes.length < start) return undefined;
  const end = start + (more === 0 ? first : bytes.readUIntBE(place + 2, more));
  return bytes.length < end ? undefined : { start, finish: end, end };
}

/** It ends with an element without tag and content. */
function openEndedAt(bytes: Buffer, place: number, depth: number): Extent | undefined {
  if (depth > DEEPEST) return undefined;
  for (let next = place + 2; ; ) {
    const part = extentAt(bytes, next, depth + 1);
    if (part === undefined) return undefined;
    if (bytes[next] === 0 && part.finish === part.start)
      return { start: place + 2, finish: next, end: part.end };
    next = part.end;
  }
}

/** The element at the beginning of bytes; undefined where there is no whole one. */
export function readElement(bytes: Buffer): Element | undefined {
  const extent = extentAt(bytes, 0, 0);
  if (extent === undefined) return undefined;
  const { start, finish, end } = extent;
  return { tag: bytes[0] ?? 0, content: bytes.subarray(start, finish), raw: bytes.subarray(0, end) };
}

/** The elements that an element holds, as far as they are whole. */
export function partsOf({ content }: Element): Element[] {
  const parts: Element[] = [];
  for (let place = 0; place < content.length && parts.length < MOST_PARTS; ) {
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
