import type { FileHandle } from 'node:fs/promises';
import type { HeaderData } from 'tar';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { type Extension, parseExtension } from './extension.ts';
import { BLOCK, padding, type TarMember } from './member.ts';

/** A member that was found in an archive, and where its bytes begin. */
export interface FoundMember extends TarMember {
  offset: number;
}

/** No set has more members or a longer extended header. */
const MEMBER_LIMIT = 100_000;
const EXTENSION_LIMIT = 65_536;

const damaged = (why: string) =>
  failure('untrusted', `the archive is damaged: ${why}`, 'use another backup set');

async function readExactly(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw damaged('it is cut short');
    filled += bytesRead;
  }
  return buffer;
}

/** Whether a file begins like a tar archive. */
export async function looksLikeTar(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  return size >= BLOCK && (await readExactly(handle, 257, 5)).toString('latin1') === 'ustar';
}

function toMember({ header, extension, data }: Entry): FoundMember {
  const { size = 0, mode = 0, uname = '', gname = '', uid = 0, gid = 0, mtime } = header;
  // The library would put the prefix of the plain header before the path of the extended one.
  const path = extension.path ?? header.path ?? '';
  if (header.type !== 'File' && header.type !== 'Directory')
    throw damaged(`${path} is of the type ${header.type}`);
  if (path.startsWith('/') || path.split('/').includes('..')) throw damaged(`${path} leads out of it`);
  return {
    path: path.replace(/\/+$/, ''),
    type: header.type,
    size: header.type === 'Directory' ? 0 : size,
    mode: mode & 0o7777,
    owner: uname,
    group: gname,
    uid,
    gid,
    modified: mtime ?? new Date(0),
    offset: data,
  };
}

async function checkEnd(handle: FileHandle, position: number, total: number): Promise<void> {
  if (total - position < 2 * BLOCK) throw damaged('it is cut short');
  for (let offset = position; offset < total; offset += 65_536) {
    const rest = await readExactly(handle, offset, Math.min(65_536, total - offset));
    if (rest.some((byte) => byte !== 0)) throw damaged('something follows its end');
  }
}

/** The bytes that fill up the last block of a member's data: zeros, or something was changed. */
async function checkPadding(handle: FileHandle, end: number, size: number): Promise<void> {
  const fill = await readExactly(handle, end, padding(size));
  if (fill.some((byte) => byte !== 0)) throw damaged(`something lies between its members, at byte ${end}`);
}

/** The library reads a checksum whatever surrounds its digits; written it is in one of two forms. */
const CHECKSUM = /^[0-7]{6}(?: \0|\0 )$/;

async function readExtension(handle: FileHandle, offset: number, size: number): Promise<Extension> {
  if (size > EXTENSION_LIMIT) throw damaged('an extended header is too long');
  const extension = parseExtension(await readExactly(handle, offset, size));
  if (extension === undefined) throw damaged(`the extended header at byte ${offset} is not one`);
  return extension;
}

/** A header and what belongs to it, and where the next one begins. */
interface Entry {
  header: HeaderData & { type: string };
  extension: Extension;
  data: number;
  next: number;
}

/** The library throws at numbers that are none. */
async function parseHeader(block: Buffer, extension: Extension | undefined, position: number) {
  const { Header } = await load('tar');
  try {
    const header = new Header(block, 0, extension);
    const isEnd = header.nullBlock && extension === undefined;
    if (isEnd || (header.cksumValid && CHECKSUM.test(block.toString('latin1', 148, 156)))) return header;
  } catch {
    // Not a header, then.
  }
  throw damaged(`the header at byte ${position} is not one`);
}

async function readEntry(handle: FileHandle, start: number): Promise<Entry | undefined> {
  let extension: Extension | undefined;
  for (let position = start; ; ) {
    const block = await readExactly(handle, position, BLOCK);
    const header = await parseHeader(block, extension, position);
    if (header.nullBlock) return undefined;
    const data = position + BLOCK;
    const size = header.size ?? 0;
    await checkPadding(handle, data + size, size);
    position = data + size + padding(size);
    if (header.type !== 'ExtendedHeader') return { header, extension: extension ?? {}, data, next: position };
    if (extension !== undefined) throw damaged('two extended headers follow each other');
    extension = await readExtension(handle, data, size);
  }
}

/**
 * Lists the members of an archive that lies in an open file, by the library's header parser and our own steps from block
 * to block: the library's own reader takes several kinds of cut archives for whole (hazards TA-8 to TA-12). Only files
 * and directories are known; anything else, a second member of one name, or bytes between members or after the end are
 * an error.
 */
export async function readMembers(handle: FileHandle): Promise<FoundMember[]> {
  const { size: total } = await handle.stat();
  const members = new Map<string, FoundMember>();
  for (let position = 0; ; ) {
    const entry = await readEntry(handle, position);
    if (entry === undefined) {
      await checkEnd(handle, position, total);
      return [...members.values()];
    }
    position = entry.next;
    const member = toMember(entry);
    if (members.has(member.path)) throw damaged(`${member.path} is in it twice`);
    if (members.size >= MEMBER_LIMIT) throw damaged('it has too many members');
    members.set(member.path, member);
  }
}

/** How much of a member is read at a time, bytes. */
const PIECE = 512 * 1024;

/** The bytes of a member, in pieces. */
export async function* readMember(handle: FileHandle, member: FoundMember): AsyncGenerator<Buffer> {
  for (let done = 0; done < member.size; ) {
    const length = Math.min(PIECE, member.size - done);
    yield await readExactly(handle, member.offset + done, length);
    done += length;
  }
}

/** All bytes of a member that is known to be small. */
export async function readSmallMember(
  handle: FileHandle,
  member: FoundMember,
  limit = 64 * 1024 * 1024,
): Promise<Buffer> {
  if (member.size > limit) throw damaged(`${member.path} is too large`);
  return readExactly(handle, member.offset, member.size);
}
