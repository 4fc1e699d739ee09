import type { FileHandle } from 'node:fs/promises';
import { failure } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';

/** Kinds of packets (RFC 9580, section 5). */
const SESSION_KEY = 1;
const NOT_PROTECTED = 9;
const PROTECTED = new Set([18, 20]);

/** Of a session key's packet this much is looked at: version, key id, algorithm, and the beginning of its first number. */
const HEAD = 13;
/** Algorithms whose part of that packet begins with a number: RSA, ElGamal, ECDH. Of RSA that is all of it. */
const RSA = new Set([1, 2]);
const NUMBERED = new Set([1, 2, 16, 18]);

/** Read at once; bytes. */
const WINDOW = 1024 * 1024;
/** No set has more recipients. */
const RECIPIENT_LIMIT = 1000;

const damaged = (why: string) =>
  failure('untrusted', `the encrypted file is damaged: ${why}`, 'use another backup set');

/** Reads bytes of a file at growing positions, a window at a time: GnuPG writes a length every 8 KiB. */
function windowOn(handle: FileHandle) {
  let start = 0;
  let held = Buffer.alloc(0);
  return async (position: number, length: number): Promise<Buffer> => {
    if (position < start || position + length > start + held.length) {
      checkInterruption();
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(WINDOW), 0, WINDOW, position);
      [start, held] = [position, buffer.subarray(0, bytesRead)];
    }
    if (position + length > start + held.length) throw damaged('it is cut short');
    return held.subarray(position - start, position - start + length);
  };
}

type Read = ReturnType<typeof windowOn>;

/** A stretch of a packet's body, and whether another one follows. */
interface Stretch {
  start: number;
  length: number;
  isLast: boolean;
}

async function newLength(read: Read, at: number): Promise<Stretch> {
  const [first = 0] = await read(at, 1);
  if (first < 192) return { start: at + 1, length: first, isLast: true };
  if (first < 224) {
    const length = ((first - 192) << 8) + ((await read(at + 1, 1))[0] ?? 0) + 192;
    return { start: at + 2, length, isLast: true };
  }
  if (first === 255) return { start: at + 5, length: (await read(at + 1, 4)).readUInt32BE(), isLast: true };
  return { start: at + 1, length: 2 ** (first & 0x1f), isLast: false };
}

async function oldLength(read: Read, at: number, kind: number): Promise<Stretch> {
  if (kind === 3) throw damaged('a packet in it has no length');
  const bytes = 2 ** kind;
  return { start: at + bytes, length: (await read(at, bytes)).readUIntBE(0, bytes), isLast: true };
}

interface Packet {
  tag: number;
  /** Its first bytes. */
  head: Buffer;
  length: number;
  next: number;
}

async function readPacket(read: Read, position: number, total: number): Promise<Packet> {
  const [first = 0] = await read(position, 1);
  if ((first & 0x80) === 0) throw damaged(`there is no packet at byte ${position}`);
  const isNew = (first & 0x40) !== 0;
  const tag = isNew ? first & 0x3f : (first >> 2) & 0xf;
  let stretch = isNew ? await newLength(read, position + 1) : await oldLength(read, position + 1, first & 3);
  const head = Buffer.from(await read(stretch.start, Math.min(stretch.length, HEAD)));
  let length = stretch.length;
  while (!stretch.isLast) {
    if (stretch.start + stretch.length > total) throw damaged('it is cut short');
    stretch = await newLength(read, stretch.start + stretch.length);
    length += stretch.length;
  }
  if (stretch.start + stretch.length > total) throw damaged('it is cut short');
  return { tag, head, length, next: stretch.start + stretch.length };
}

/** Whether a session key's number has as many bits as it says: GnuPG does not mind, but then it was changed. */
function isNumbered({ head, length }: Packet): boolean {
  const algorithm = head[9] ?? 0;
  if (!NUMBERED.has(algorithm)) return true;
  const bits = head.readUInt16BE(10);
  const fits = RSA.has(algorithm) ? length === 12 + Math.ceil(bits / 8) : length > 12 + Math.ceil(bits / 8);
  return fits && 32 - Math.clz32(head[12] ?? 0) === ((bits + 7) % 8) + 1;
}

function keyIdOf(packet: Packet): string {
  const { head } = packet;
  if (head[0] !== 3 || head.length < HEAD || !isNumbered(packet))
    throw damaged('what it says of a recipient cannot be read');
  return head.subarray(1, 9).toString('hex').toUpperCase();
}

/**
 * Reads the outside of an encrypted file, for which no key is needed: to which keys it is encrypted, that the data is
 * integrity-protected, that it reaches its end, and that nothing else is there, which GnuPG would read over. Returns the
 * ids of the recipients' keys.
 */
export async function readContainer(handle: FileHandle): Promise<string[]> {
  const { size: total } = await handle.stat();
  const read = windowOn(handle);
  const recipients: string[] = [];
  for (let position = 0; ; ) {
    const packet = await readPacket(read, position, total);
    position = packet.next;
    if (packet.tag === SESSION_KEY && recipients.length < RECIPIENT_LIMIT) recipients.push(keyIdOf(packet));
    else if (packet.tag === NOT_PROTECTED) throw damaged('it is not protected against changes');
    else if (!PROTECTED.has(packet.tag) || recipients.length === 0)
      throw damaged(`a packet of kind ${packet.tag} does not belong there`);
    else if (position !== total) throw damaged('something follows its end');
    else return recipients;
  }
}
