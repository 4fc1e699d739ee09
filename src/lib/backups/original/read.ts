import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type FoundMember, readMember, readMembers, readSmallMember } from '../../archive/read.ts';
import { parseConfigurationText } from '../../core/configuration.ts';
import { failure } from '../../core/errors.ts';
import { DUMP_WINDOW, dumpIsComplete } from '../../database/dump.ts';
import { type PlainDump, plainDump, takePiece } from '../../database/plain-dump.ts';
import { MANIFEST_ENDING } from '../manifest.ts';
import { type CheckName, type Finding, notChecked, ok } from '../verify/checks.ts';
import { checkKeys } from './keys.ts';
import { checkPair } from './pair.ts';
import type { UnsignedSet } from './set.ts';

const CONFIGURATION = 'keytrustee.conf';
const untrusted = (why: string) =>
  failure('untrusted', `the set is not whole: ${why}`, 'use another backup set');

/** Every server of this program has it from its first backup on, and no other. */
const OWN_MARK = 'backup.sequence';

/** Whether an archive is a set of the original product: a set of this program that lost its manifest is none. */
export async function isOriginal(handle: FileHandle): Promise<boolean> {
  const members = await readMembers(handle);
  const isOwn = ({ path }: FoundMember) => path.endsWith(MANIFEST_ENDING) || basename(path) === OWN_MARK;
  return !members.some(isOwn);
}

/** The one place of a keytrustee.conf, and so the configuration directory. */
function findConfdir(members: FoundMember[]): string {
  const found = members.filter(({ path, type }) => type === 'File' && basename(path) === CONFIGURATION);
  const [file] = found;
  if (file === undefined || !file.path.includes('/')) {
    throw failure(
      'untrusted',
      'the set has no manifest at its end: it is cut short, or another program made it',
    );
  }
  if (found.length > 1) throw untrusted('it holds several keytrustee.conf');
  return dirname(file.path);
}

/** Sorts members into the configuration and the dump; anything else does not belong into a set. */
function sortMembers(members: FoundMember[], root: string) {
  const files = new Map<string, FoundMember>();
  let dump: FoundMember | undefined;
  for (const member of members) {
    if ((member.mode & 0o7000) !== 0)
      throw untrusted(`${member.path} has the mode ${member.mode.toString(8)}`);
    const isAbove = member.type === 'Directory' && `${root}/`.startsWith(`${member.path}/`);
    const isDump = member.type === 'File' && dirname(member.path) === dirname(root) && dump === undefined;
    if (member.path.startsWith(`${root}/`)) files.set(member.path.slice(root.length + 1), member);
    else if (isDump && member.path.endsWith('.sql')) dump = member;
    else if (!isAbove) throw untrusted(`${member.path} belongs to no part of it`);
  }
  if (dump === undefined) throw untrusted('it holds no database dump beside the configuration');
  return { files, dump };
}

async function readDump(handle: FileHandle, dump: FoundMember): Promise<PlainDump> {
  const reader = plainDump();
  let start: Buffer = Buffer.alloc(0);
  let end: Buffer = Buffer.alloc(0);
  for await (const piece of readMember(handle, dump)) {
    takePiece(reader, piece);
    if (start.length === 0) start = piece.subarray(0, DUMP_WINDOW);
    end = Buffer.concat([end, piece]).subarray(-DUMP_WINDOW);
  }
  if (!dumpIsComplete(start, end)) throw untrusted('the database dump in it is not complete');
  return reader;
}

function fingerprintOf(configuration: Record<string, unknown>): string {
  const { LOCAL_FINGERPRINT: fingerprint } = configuration;
  if (typeof fingerprint === 'string' && /^\d+R\/[0-9A-F]{40}$/i.test(fingerprint))
    return fingerprint.toUpperCase();
  throw untrusted('keytrustee.conf names no LOCAL_FINGERPRINT');
}

const SIGNS_NOTHING = 'there is none: nobody signed this set, and it has no list of digests';

function describeRows(rows: Map<string, number>): string {
  const counts = [...rows].map(([table, number]) => `${number} ${table}`);
  return `complete: ${counts.join(', ')}; how many there were is not said`;
}

/** Hears of each check that could be made, or not. */
export type Heard = (check: CheckName, finding: Finding) => void;

/**
 * Reads a set without a manifest and checks what can be checked: the archive is whole and holds the configuration and a
 * complete dump and nothing else; the server's secret key is in its keyrings; certificate and private key fit.
 */
export async function readUnsigned(handle: FileHandle, heard: Heard = () => undefined): Promise<UnsignedSet> {
  const members = await readMembers(handle);
  heard('archive', ok('from its first block to its last'));
  const root = findConfdir(members);
  heard('manifest', notChecked(SIGNS_NOTHING));
  const { files, dump } = sortMembers(members, root);
  const file = files.get(CONFIGURATION) as FoundMember;
  const text = (await readSmallMember(handle, file)).toString('utf8');
  const configuration = parseConfigurationText(CONFIGURATION, text);
  const set = {
    handle,
    confdir: `/${root}`,
    files,
    configuration,
    fingerprint: fingerprintOf(configuration),
    dump,
  };
  heard('members', ok(`${members.length}; ${await checkKeys(set)}; ${await checkPair(set)}`));
  const { rows, cleans } = await readDump(handle, dump);
  heard('dump', ok(describeRows(rows)));
  return { ...set, rows, cleans };
}
