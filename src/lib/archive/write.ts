import type { Header, Pax } from 'tar';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { BLOCK, padding, type TarMember } from './member.ts';

/** The library's header classes; its own archiver is not used (hazards TA-1 to TA-5). */
interface TarClasses {
  Header: typeof Header;
  Pax: typeof Pax;
}

function encodeHeader({ Header, Pax }: TarClasses, member: TarMember): Buffer {
  const fields = {
    path: member.type === 'Directory' ? `${member.path}/` : member.path,
    type: member.type,
    size: member.size,
    mode: member.mode,
    uid: member.uid,
    gid: member.gid,
    uname: member.owner,
    gname: member.group,
    mtime: new Date(Math.floor(member.modified.getTime() / 1000) * 1000),
  };
  const block = Buffer.alloc(BLOCK);
  // The library says that a value does not fit and would cut it off unless an extended header goes before it (TA-13); a
  // name of just a hundred bytes it turns into another one, which only reading it back shows.
  const fits = !new Header(fields).encode(block, 0) && new Header(block).path === fields.path;
  return fits ? block : Buffer.concat([new Pax(extensionOf(member, fields.path), false).encode(), block]);
}

/** The longest name of an account or group that a plain header holds, bytes. */
const NAME_LIMIT = 31;
const fitsName = (name: string) => name.length === Buffer.byteLength(name) && name.length <= NAME_LIMIT;

/** No more than what the plain header cannot say: numbers that are too large for digits stand in it in binary form. */
function extensionOf({ owner, group }: TarMember, path: string) {
  return {
    path,
    ...(fitsName(owner) ? {} : { uname: owner }),
    ...(fitsName(group) ? {} : { gname: group }),
  };
}

/** A member and its bytes. Directories have none. */
export interface TarInput {
  member: TarMember;
  content: AsyncIterable<Buffer> | Iterable<Buffer>;
}

/**
 * Writes an archive as a stream of buffers. A member whose bytes are not exactly as many as its header says is an error,
 * because every reader would take what follows for a header.
 */
export async function* writeTar(
  inputs: AsyncIterable<TarInput> | Iterable<TarInput>,
): AsyncGenerator<Buffer> {
  const classes = await load('tar');
  for await (const { member, content } of inputs) {
    yield encodeHeader(classes, member);
    let written = 0;
    for await (const chunk of content) {
      written += chunk.length;
      yield chunk;
    }
    if (written !== member.size) throw failure('failed', `${member.path} changed its size while it was read`);
    yield Buffer.alloc(padding(member.size));
  }
  yield Buffer.alloc(2 * BLOCK);
}
