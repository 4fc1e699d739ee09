import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { TarMember } from '../../archive/member.ts';
import { type TarInput, writeTar } from '../../archive/write.ts';
import { readZip, type ZipMember } from '../../archive/zip.ts';
import { DEFAULT_CONFDIR } from '../../core/config.ts';
import { failure } from '../../core/errors.ts';
import { freeSpace, openUnnamed, writeAll } from '../../core/files.ts';
import { checkInterruption } from '../../core/interrupt.ts';

/** The manual's two zip files, and how their passwords are come by. */
export interface ZipPair {
  databaseDump: string;
  config: string;
  /** Asked once for each file that has a password. */
  password: (path: string) => Promise<string>;
}

/** No configuration is larger, bytes. */
const FILE_LIMIT = 64 * 1024 * 1024;
const CONFIGURATION_LIMIT = 4 * FILE_LIMIT;

const untrusted = (path: string, why: string) => failure('untrusted', `${path} ${why}`, 'use another file');

function onlyMember(path: string, members: ZipMember[]): ZipMember {
  const files = members.filter(({ type }) => type === 'File');
  const [dump] = files;
  if (dump !== undefined && files.length === 1) return dump;
  throw untrusted(path, `holds ${files.length} files and not one database dump`);
}

/** The configuration directory within a zip file: where keytrustee.conf is, and only there. */
function rootOf(path: string, members: ZipMember[]): string {
  const found = members.filter((member) => basename(member.path) === 'keytrustee.conf');
  const [file] = found;
  if (file !== undefined && found.length === 1) return dirname(file.path);
  throw untrusted(path, `holds ${found.length === 0 ? 'no' : 'several'} keytrustee.conf`);
}

function below(path: string, root: string, members: ZipMember[]): Map<string, ZipMember> {
  const files = new Map<string, ZipMember>();
  let total = 0;
  for (const member of members) {
    const isAbove = member.type === 'Directory' && `${root}/`.startsWith(`${member.path}/`);
    if (isAbove) continue;
    if (root !== '.' && !member.path.startsWith(`${root}/`))
      throw untrusted(path, `holds ${member.path}, which belongs to no configuration`);
    total += member.size;
    if (member.size > FILE_LIMIT || total > CONFIGURATION_LIMIT)
      throw untrusted(path, `holds more than a configuration can (${member.path})`);
    files.set(root === '.' ? member.path : member.path.slice(root.length + 1), member);
  }
  return files;
}

function tarMember(path: string, { type, size, modified }: Pick<ZipMember, 'type' | 'size' | 'modified'>) {
  const mode = type === 'Directory' ? 0o700 : 0o600;
  return { path, type, size, mode, owner: '', group: '', uid: 0, gid: 0, modified } satisfies TarMember;
}

/** Every directory of the files, those above first: a zip file need not list them. */
function* directoriesOf(paths: Iterable<string>): Generator<string> {
  const made = new Set(['.']);
  for (const path of paths) {
    const missing: string[] = [];
    for (let place = dirname(path); !made.has(place); place = dirname(place)) missing.unshift(place);
    for (const place of missing) {
      made.add(place);
      yield place;
    }
  }
}

async function passwordFor(path: string, members: ZipMember[], pair: ZipPair): Promise<string | undefined> {
  return members.some((member) => member.isEncrypted) ? pair.password(path) : undefined;
}

/** What the archive in clear is to hold, in the order of the original's sets. */
async function* inputs(
  config: ZipMember[],
  dump: ZipMember,
  pair: ZipPair,
  passwords: (string | undefined)[],
): AsyncGenerator<TarInput> {
  const inside = rootOf(pair.config, config);
  const root = (inside === '.' ? DEFAULT_CONFDIR : `/${inside}`).slice(1);
  const files = [...below(pair.config, inside, config)].filter(([, { type }]) => type === 'File');
  const directory = { type: 'Directory', size: 0, modified: new Date(0) } as const;
  yield { member: tarMember(root, directory), content: [] };
  for (const path of directoriesOf(files.map(([path]) => path)))
    yield { member: tarMember(`${root}/${path}`, directory), content: [] };
  for (const [path, member] of files)
    yield { member: tarMember(`${root}/${path}`, member), content: member.read(passwords[0]) };
  const name = basename(pair.databaseDump).replace(/\.zip$/, '');
  yield { member: tarMember(`${dirname(root)}/${name}.sql`, dump), content: dump.read(passwords[1]) };
}

async function withZip<T>(path: string, work: (members: ZipMember[]) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r');
  try {
    if (!(await handle.stat()).isFile()) throw failure('failed', `${path} is not a file`);
    return await work(await readZip(handle, path));
  } finally {
    await handle.close();
  }
}

async function refuseTooLarge(near: string, path: string, size: number): Promise<void> {
  if (size > (await freeSpace(near)))
    throw failure('failed', `${path} holds ${size} bytes, and ${near} has no space for that`);
}

/**
 * Decrypts the pair into one archive in the form of the original's sets: an open file without a name in the directory
 * `near`. Each byte is checked against the CRC and size that its zip file has for it.
 */
export async function openZipPair(pair: ZipPair, near: string): Promise<FileHandle> {
  return withZip(pair.config, (config) =>
    withZip(pair.databaseDump, async (dumps) => {
      const dump = onlyMember(pair.databaseDump, dumps);
      await refuseTooLarge(near, pair.databaseDump, dump.size);
      rootOf(pair.config, config);
      const passwords = [await passwordFor(pair.config, config, pair)];
      passwords.push(await passwordFor(pair.databaseDump, dumps, pair));
      const archive = await openUnnamed(near);
      try {
        let position = 0;
        for await (const piece of writeTar(inputs(config, dump, pair, passwords))) {
          checkInterruption();
          position = await writeAll(archive, piece, position);
        }
        return archive;
      } catch (error) {
        await archive.close();
        throw error;
      }
    }),
  );
}
