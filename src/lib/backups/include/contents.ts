import type { FileHandle } from 'node:fs/promises';
import { writeFile } from 'node:fs/promises';
import { basename, join, normalize } from 'node:path';
import { type FoundMember, readMembers, readSmallMember } from '../../archive/read.ts';
import { failure } from '../../core/errors.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import { verifyClearSigned } from '../../gpg/signature.ts';
import { withPrivateHome } from '../../gpg/temporary.ts';
import { MANIFEST_ENDING } from '../manifest.ts';
import { CLIENT_PREFIX } from '../name.ts';
import { checkMembers } from '../restore/contents.ts';
import { type ClientManifest, parseClientManifest } from './manifest.ts';

/** The ending of the name under which the public key lies in a client's set. */
export const KEY_ENDING = '.pubring.kbx';

/** A client's set whose every byte has been found to be what its signed manifest says. */
export interface ClientContents {
  handle: FileHandle;
  manifest: ClientManifest;
  /** Of each directory its members, by their path below it ('' is the directory itself). */
  directories: Map<string, Map<string, FoundMember>>;
}

/** Whether a file has the name of a client's set. */
export function isClientSet(file: string): boolean {
  return basename(file).startsWith(CLIENT_PREFIX);
}

/** Told of each part of the check that held, in this order; with the second, what the host says of the set. */
export type ClientPassed = (check: 'archive' | 'manifest' | 'members', manifest?: ClientManifest) => void;

const untrusted = (why: string) =>
  failure('untrusted', `the set is not whole: ${why}`, 'use another backup set');

async function verifyManifest(
  handle: FileHandle,
  members: FoundMember[],
  manifestMember: FoundMember,
): Promise<ClientManifest> {
  const path = manifestMember.path.slice(0, -MANIFEST_ENDING.length) + KEY_ENDING;
  const key = members.find((member) => member.path === path);
  if (key === undefined) throw untrusted('it holds no public key');
  const publicKeys = await readSmallMember(handle, key);
  const signed = (await readSmallMember(handle, manifestMember)).toString('utf8');
  return withPrivateHome(async (home) => {
    const keyring = join(home, 'set.kbx');
    await writeFile(keyring, publicKeys, { mode: 0o600, flag: 'wx' });
    const { text, signer } = await verifyClearSigned({ publicKeys: keyring }, signed);
    const manifest = parseClientManifest(text);
    if (bareFingerprint(manifest.fingerprint) === signer && manifest.key === path) return manifest;
    throw failure('untrusted', `the set names the key ${manifest.fingerprint}, but ${signer} signed it`);
  });
}

/** Every member lies in one of the directories, but for the key; and every directory is there. */
function sortMembers(
  members: FoundMember[],
  { directories, key }: ClientManifest,
): ClientContents['directories'] {
  const sorted: ClientContents['directories'] = new Map();
  for (const directory of directories) {
    const root = directory.slice(1);
    const found = members.filter(({ path }) => path === root || path.startsWith(`${root}/`));
    if (normalize(directory) !== directory || found[0]?.path !== root || found[0].type !== 'Directory')
      throw untrusted(`${directory} is missing`);
    sorted.set(directory, new Map(found.map((member) => [member.path.slice(root.length + 1), member])));
  }
  const count = [...sorted.values()].reduce((sum, found) => sum + found.size, 1);
  if (count === members.length && members.at(-1)?.path === key) return sorted;
  throw untrusted('a member belongs to none of its directories, or to two');
}

/**
 * Reads a client's set and checks all of it, as a server's is: the last member is the manifest, signed by the key that it
 * names; every member is there once, as the manifest says, and there is no other.
 */
export async function readClientContents(
  handle: FileHandle,
  passed: ClientPassed = () => undefined,
): Promise<ClientContents> {
  const members = await readMembers(handle);
  passed('archive');
  const last = members.pop();
  if (last === undefined || !isClientSet(last.path) || !last.path.endsWith(MANIFEST_ENDING))
    throw failure(
      'untrusted',
      "the set has no client's manifest at its end: it is cut short, or of another kind",
    );
  const manifest = await verifyManifest(handle, members, last);
  passed('manifest', manifest);
  await checkMembers(handle, members, manifest);
  const groups = new Map(manifest.members.map(({ path, group }) => [path, group]));
  const other = members.find(({ path, group }) => groups.get(path) !== group);
  if (other !== undefined) throw untrusted(`${other.path} is not as the manifest says`);
  const directories = sortMembers(members, manifest);
  passed('members');
  return { handle, manifest, directories };
}
