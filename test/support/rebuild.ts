/** Sets in clear, taken apart and put together again in another way. */
import { open, writeFile } from 'node:fs/promises';
import { type FoundMember, readMembers, readSmallMember } from '../../src/lib/archive/read.ts';
import { type TarInput, writeTar } from '../../src/lib/archive/write.ts';
import { clearSign } from '../../src/lib/gpg/signature.ts';
import { give } from './faults.ts';
import type { ManifestText } from './sets.ts';

/** A member with all of its bytes. */
export interface Part extends TarInput {
  content: Buffer[];
}

/** The members of a set in clear, the manifest last. */
export async function partsOf(set: string): Promise<Part[]> {
  const handle = await open(set, 'r');
  try {
    const parts: Part[] = [];
    for (const found of await readMembers(handle)) {
      const { offset: _, ...member } = found;
      parts.push({ member, content: [await readSmallMember(handle, found as FoundMember)] });
    }
    return parts;
  } finally {
    await handle.close();
  }
}

/** Writes members as a set. */
export async function writeParts(path: string, parts: Part[]): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of writeTar(parts)) pieces.push(piece);
  await writeFile(path, Buffer.concat(pieces));
  return give(path);
}

/** The same member with other bytes. */
export function withContent(part: Part, content: Buffer): Part {
  return { member: { ...part.member, size: content.length }, content: [content] };
}

/** Whose key signs: that in a configuration directory. */
export interface Signer {
  publicKeys: string;
  secretKeys: string;
  fingerprint: string;
}

/** A set whose manifest says something else, and is signed all the same. */
export async function resigned(
  parts: Part[],
  signer: Signer,
  change: (manifest: ManifestText) => void,
): Promise<Part[]> {
  const last = parts.at(-1) as Part;
  const text = `${last.content[0]}`
    .replace(/^[\s\S]*?\n\n/, '')
    .replace(/-----BEGIN PGP SIGNATURE[\s\S]*/, '');
  const manifest = JSON.parse(text) as ManifestText;
  change(manifest);
  const signed = await clearSign(
    signer,
    signer.fingerprint.slice(-40),
    `${JSON.stringify(manifest, null, 2)}\n`,
  );
  return parts.with(-1, withContent(last, Buffer.from(signed)));
}
