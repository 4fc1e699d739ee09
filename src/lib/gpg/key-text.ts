import { KEY_LIMIT, type KeyFault } from './key-fault.ts';

const BLOCK = /^-----BEGIN PGP PUBLIC KEY BLOCK-----$/gm;
const END = '-----END PGP PUBLIC KEY BLOCK-----';
/** Private keys of every kind that people mistake for what is asked: OpenPGP, SSH, PEM, PuTTY. */
const PRIVATE = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY|PuTTY-User-Key-File/;

/** Kinds of packets that begin a secret key or a part of one (RFC 9580, section 5). */
const SECRET_PACKETS = new Set([5, 7]);

function startsSecretKey(first: number): boolean {
  return SECRET_PACKETS.has((first & 0x40) === 0 ? (first >> 2) & 0xf : first & 0x3f);
}

/** The text of a file; Windows PowerShell writes `gpg --export > key.asc` in UTF-16. */
function decode(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
  return new TextDecoder(encoding).decode(bytes);
}

function isBinary([first = 0, second]: Uint8Array): boolean {
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xef && second === 0xbb);
  return (first & 0x80) !== 0 && !isMarked;
}

/** The one block of armour in a text, without what mail programs and editors put around lines. */
function extractArmor(text: string): { key: string } | { fault: KeyFault } {
  if (PRIVATE.test(text)) return { fault: 'private' };
  const clean = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/^>/, '').trim())
    .join('\n');
  const begins = [...clean.matchAll(BLOCK)];
  const start = begins[0]?.index;
  if (start === undefined) return { fault: 'empty' };
  if (begins.length > 1) return { fault: 'several' };
  const end = clean.indexOf(END, start);
  return end === -1 ? { fault: 'cut' } : { key: `${clean.slice(start, end + END.length)}\n` };
}

/** Finds the public key in what somebody sent: armour within a text, or a binary key as it is. */
export function extractKey(given: string | Uint8Array): { key: string | Uint8Array } | { fault: KeyFault } {
  const length = typeof given === 'string' ? Buffer.byteLength(given) : given.length;
  if (length > KEY_LIMIT) return { fault: 'large' };
  if (typeof given === 'string' || !isBinary(given)) {
    return extractArmor(typeof given === 'string' ? given : decode(given));
  }
  return startsSecretKey(given[0] ?? 0) ? { fault: 'private' } : { key: given };
}
