import type { FileHandle } from 'node:fs/promises';
import type { HeaderData } from 'tar';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
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

function toMember(header: HeaderData & { type: string }, offset: number): FoundMember {
  const { path = '', size = 0, mode = 0, uname = '', gname = '', uid = 0, gid = 0, mtime } = header;
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
    offset,
  };
}

async function checkEnd(handle: FileHandle, position: number, total: number): Promise<void> {
  if (total - position < 2 * BLOCK) throw damaged('it is cut short');
  for (let offset = position; offset < total; offset += 65_536) {
    const rest = await readExactly(handle, offset, Math.min(65_536, total - offset));
    if (rest.some((byte) => byte !== 0)) throw damaged('something follows its end');
  }
}

/**
 * Lists the members of an archive that lies in an open file, by the library's header parser and our own steps from block
 * to block: the library's own reader takes several kinds of cut archives for whole (hazards TA-8 to TA-12). Only files
 * and directories are known; anything else, a second member of one name, or bytes after the end are an error.
 */
export async function readMembers(handle: FileHandle): Promise<FoundMember[]> {
  const { Header, Pax } = await load('tar');
  const { size: total } = await handle.stat();
  const members = new Map<string, FoundMember>();
  let extension: Record<string, unknown> | undefined;
  for (let position = 0; ; ) {
    const block = await readExactly(handle, position, BLOCK);
    const header = new Header(block, 0, extension);
    if (header.nullBlock) {
      await checkEnd(handle, position, total);
      return [...members.values()];
    }
    if (!header.cksumValid) throw damaged(`the header at byte ${position} is not one`);
    const data = position + BLOCK;
    const size = header.size ?? 0;
    position = data + size + padding(size);
    if (header.type === 'ExtendedHeader') {
      if (size > EXTENSION_LIMIT) throw damaged('an extended header is too long');
      extension = { ...Pax.parse((await readExactly(handle, data, size)).toString('utf8')) };
      continue;
    }
    extension = undefined;
    const member = toMember(header, data);
    if (members.has(member.path)) throw damaged(`${member.path} is in it twice`);
    if (members.size >= MEMBER_LIMIT) throw damaged('it has too many members');
    members.set(member.path, member);
  }
}

/** The bytes of a member, in pieces. */
export async function* readMember(handle: FileHandle, member: FoundMember): AsyncGenerator<Buffer> {
  for (let done = 0; done < member.size; ) {
    const length = Math.min(65_536, member.size - done);
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
