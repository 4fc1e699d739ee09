import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TarMember } from '../../archive/member.ts';
import { type TarInput, writeTar } from '../../archive/write.ts';
import { currentAccount, groupName } from '../../core/account.ts';
import { withEncryption } from '../../gpg/encrypt.ts';
import { type KeyringCall, withKeyring } from '../../gpg/program.ts';
import type { Recipient } from '../../gpg/recipients.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import { clearSignWith } from '../../gpg/signature.ts';
import { MANIFEST_ENDING } from '../manifest.ts';
import { chooseStem, publishSet } from '../publish.ts';
import { writeReceipt } from '../receipt.ts';
import { KEY_ENDING } from './contents.ts';
import type { ClientManifest, ClientMember } from './manifest.ts';
import type { SigningKey } from './signing-home.ts';
import { contentOf, type Tree } from './tree.ts';

/** What goes into a client's set. `created` in UTC. */
export interface ClientParts {
  tree: Tree;
  directories: string[];
  signingHome: string;
  key: SigningKey;
  recipients: Recipient[];
  host: string;
  created: Date;
  sequence: number;
  program: string;
}

/** A file of ours; by hand it would be unpacked beside the key that signed it. */
async function ownMember(
  { signingHome, created }: ClientParts,
  name: string,
  size: number,
): Promise<TarMember> {
  const { name: owner, uid, gid } = currentAccount();
  const group = (await groupName(gid)) ?? `#${gid}`;
  const path = join(signingHome, name).replace(/^\/+/, '');
  return { path, type: 'File', size, mode: 0o600, owner, group, uid, gid, modified: created };
}

function listed(member: TarMember, sha256: string | null): ClientMember {
  const { path, type, size, mode, owner, group } = member;
  return { path, type, size, sha256, mode: mode.toString(8).padStart(4, '0'), owner, group };
}

function describe(parts: ClientParts, keyMember: ClientMember): ClientManifest {
  const { tree, directories, key, recipients, host, created, sequence, program } = parts;
  return {
    format: 1,
    kind: 'client',
    program,
    created: created.toISOString(),
    sequence,
    host,
    fingerprint: key.fingerprint,
    key: keyMember.path,
    directories,
    recipients: recipients.map(({ fingerprint, userId }) => ({ fingerprint, userId })),
    excluded: tree.excluded,
    members: [...tree.members.map(({ member, sha256 }) => listed(member, sha256)), keyMember],
  };
}

const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');

async function* inputs(parts: ClientParts, stem: string, call: KeyringCall): AsyncGenerator<TarInput> {
  for (const included of parts.tree.members) yield { member: included.member, content: contentOf(included) };
  const publicKeys = await readFile(parts.key.files.publicKeys);
  const keyMember = await ownMember(parts, `${stem}${KEY_ENDING}`, publicKeys.length);
  yield { member: keyMember, content: [publicKeys] };
  const manifest = describe(parts, listed(keyMember, digest(publicKeys)));
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const signed = Buffer.from(await clearSignWith(call, bareFingerprint(parts.key.fingerprint), text));
  const member = await ownMember(parts, `${stem}${MANIFEST_ENDING}`, signed.length);
  yield { member, content: [signed] };
}

/** Signs the receipt of a set that has been written. A client has no rows. */
function proof(parts: ClientParts, call: KeyringCall, directory: string, name: string) {
  const { recipients, created, sequence, host, key } = parts;
  const about = {
    format: 1 as const,
    name,
    created: created.toISOString(),
    sequence,
    host,
    fingerprint: key.fingerprint,
    recipients: recipients.map(({ fingerprint, userId }) => ({ fingerprint, userId })),
    rows: {},
    encrypted: recipients.length > 0,
  };
  const sign = (text: string) => clearSignWith(call, bareFingerprint(key.fingerprint), text);
  return (written: { size: number; sha256: string }) =>
    writeReceipt(directory, { ...about, ...written }, sign);
}

/** Writes a client's set: the directories, the public key, and last the manifest that the host's key signed. */
export async function writeClientSet(
  parts: ClientParts,
  directory: string,
): Promise<{ path: string; size: number }> {
  const { recipients, host, created, key } = parts;
  const stem = await chooseStem(directory, { client: host }, created);
  return withKeyring(key.files, async (call) => {
    const archive = writeTar(inputs(parts, stem, call));
    const name = recipients.length === 0 ? `${stem}.tar` : `${stem}.tar.gpg`;
    const prove = proof(parts, call, directory, name);
    if (recipients.length === 0) return publishSet(directory, name, archive, prove);
    return withEncryption(archive, recipients, (encrypted) => publishSet(directory, name, encrypted, prove));
  });
}
