import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type FoundMember, readMember, readMembers, readSmallMember } from '../../archive/read.ts';
import { type Configuration, parseConfiguration, parseConfigurationText } from '../../core/configuration.ts';
import { failure } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import { verifyClearSigned } from '../../gpg/signature.ts';
import { withPrivateHome } from '../../gpg/temporary.ts';
import { MANIFEST_ENDING, type Manifest, type ManifestMember, parseManifest } from '../manifest.ts';
import { CLIENT_PREFIX } from '../name.ts';
import { checkDump, findParts, isOfDump, untrusted } from './dump-check.ts';

/** A backup set whose every byte has been found to be what its signed manifest says. */
export interface SetContents {
  handle: FileHandle;
  manifest: Manifest;
  configuration: Configuration;
  /** Members of the configuration directory, by their path below it ('' is the directory itself). */
  confdir: Map<string, FoundMember>;
  /** The script that loads the database, and the files that it reads, in their order. */
  dump: FoundMember;
  parts: FoundMember[];
}

async function digest(handle: FileHandle, member: FoundMember): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readMember(handle, member)) hash.update(chunk);
  return hash.digest('hex');
}

async function checkMember(handle: FileHandle, found: FoundMember, expected: ManifestMember): Promise<void> {
  const same =
    found.type === expected.type &&
    found.size === expected.size &&
    found.mode === Number.parseInt(expected.mode, 8) &&
    found.owner === expected.owner;
  if (!same) throw untrusted(`${found.path} is not as the manifest says`);
  if (expected.type === 'File' && (await digest(handle, found)) !== expected.sha256) {
    throw untrusted(`${found.path} has another digest than the manifest says`);
  }
}

/** Every member that the manifest lists is there, in its order, and no other (hazard TA-21). */
export async function checkMembers(
  handle: FileHandle,
  found: FoundMember[],
  { members }: Pick<Manifest, 'members'>,
): Promise<void> {
  const foundPaths = new Set(found.map(({ path }) => path));
  const listedPaths = new Set(members.map(({ path }) => path));
  const unlisted = found.find(({ path }) => !listedPaths.has(path));
  if (unlisted !== undefined) throw untrusted(`${unlisted.path} is not in its manifest`);
  const missing = members.find(({ path }) => !foundPaths.has(path));
  if (missing !== undefined) throw untrusted(`${missing.path} is missing`);
  if (listedPaths.size !== members.length) throw untrusted('its manifest names a member twice');
  for (const [index, member] of found.entries()) {
    checkInterruption();
    const expected = members[index];
    if (expected?.path !== member.path) throw untrusted(`${member.path} is not in its place`);
    await checkMember(handle, member, expected);
  }
}

async function verifyManifest(handle: FileHandle, members: FoundMember[], signed: string): Promise<Manifest> {
  const keys = members.find((member) => basename(member.path) === 'pubring.kbx');
  if (keys === undefined) throw untrusted('it holds no public keys');
  const publicKeys = await readSmallMember(handle, keys);
  return withPrivateHome(async (home) => {
    const path = join(home, 'set.kbx');
    await writeFile(path, publicKeys, { mode: 0o600, flag: 'wx' });
    const { text, signer } = await verifyClearSigned({ publicKeys: path }, signed);
    const manifest = parseManifest(text);
    if (bareFingerprint(manifest.fingerprint) !== signer) {
      throw failure('untrusted', `the set names the server ${manifest.fingerprint}, but ${signer} signed it`);
    }
    return manifest;
  });
}

/** Told of each part of the check that held, in this order; with the second, what the server says of the set. */
export type Passed = (check: 'archive' | 'manifest' | 'members' | 'dump', manifest?: Manifest) => void;

/**
 * Reads a set and checks all of it: the last member is the manifest, signed by the server it names; every member is there
 * once, as the manifest says, and there is no other. Nothing has reached psql or a directory before this returns.
 */
export async function readContents(
  handle: FileHandle,
  passed: Passed = () => undefined,
): Promise<SetContents> {
  const members = await readMembers(handle);
  passed('archive');
  const last = members.pop();
  if (last !== undefined && basename(last.path).startsWith(CLIENT_PREFIX))
    throw failure(
      'conflict',
      "this is a client's set",
      `its name must begin with ${CLIENT_PREFIX}, as it did`,
    );
  if (last === undefined || !last.path.endsWith(MANIFEST_ENDING)) {
    throw failure(
      'untrusted',
      'the set has no manifest at its end: it is cut short, or another program made it',
    );
  }
  const manifest = await verifyManifest(
    handle,
    members,
    (await readSmallMember(handle, last)).toString('utf8'),
  );
  passed('manifest', manifest);
  await checkMembers(handle, members, manifest);
  const root = manifest.confdir.replace(/^\/+/, '');
  const confdir = new Map<string, FoundMember>();
  for (const member of members) {
    if (member.path === root) confdir.set('', member);
    else if (member.path.startsWith(`${root}/`)) confdir.set(member.path.slice(root.length + 1), member);
    else if (!isOfDump(member, manifest)) throw untrusted(`${member.path} belongs to no part of it`);
  }
  const dump = members.find((member) => member.path === manifest.database.member);
  const file = confdir.get('keytrustee.conf');
  if (dump === undefined || file === undefined) throw untrusted('it lacks the database or keytrustee.conf');
  const parts = findParts(members, manifest);
  passed('members');
  await checkDump(handle, dump, parts);
  passed('dump');
  const text = (await readSmallMember(handle, file)).toString('utf8');
  const configuration = parseConfiguration(
    'keytrustee.conf',
    parseConfigurationText('keytrustee.conf', text),
  );
  return { handle, manifest, configuration, confdir, dump, parts };
}
