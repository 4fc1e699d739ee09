import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import type { TarMember } from '../archive/member.ts';
import { type TarInput, writeTar } from '../archive/write.ts';
import { confdirFiles } from '../core/config.ts';
import { withEncryption } from '../gpg/encrypt.ts';
import { type KeyringCall, withKeyring } from '../gpg/program.ts';
import { bareFingerprint } from '../gpg/server-key.ts';
import { clearSignWith } from '../gpg/signature.ts';
import { describeFile, describeSet, listed, type SetParts } from './describe-set.ts';
import { MANIFEST_ENDING, type ManifestMember, printManifest } from './manifest.ts';
import { chooseStem, publishSet } from './publish.ts';
import { writeReceipt } from './receipt.ts';
import { DATA_ENDING, loadScript } from './script.ts';

/** What of ours lies beside the configuration directory when the set is unpacked. */
function memberBeside(
  { settings, created }: SetParts,
  name: string,
  type: TarMember['type'],
  size: number,
): TarMember {
  const { account, confdir } = settings;
  return {
    path: join(confdir, '..', name).replace(/^\/+/, ''),
    type,
    size,
    mode: type === 'File' ? 0o600 : 0o700,
    owner: account.name,
    group: account.name,
    uid: account.uid,
    gid: account.gid,
    modified: created,
  };
}

/** Everything but the manifest, in its order. */
async function* contents(parts: SetParts, stem: string): AsyncGenerator<TarInput> {
  const { collection, snapshot } = parts;
  for (const { member, data } of collection.members) yield { member, content: [data] };
  const script = Buffer.from(
    loadScript(
      stem,
      snapshot.files.map(({ name }) => name),
    ),
  );
  yield { member: memberBeside(parts, `${stem}.sql`, 'File', script.length), content: [script] };
  yield { member: memberBeside(parts, `${stem}${DATA_ENDING}`, 'Directory', 0), content: [] };
  for (const { name, size, content } of snapshot.files) {
    yield { member: memberBeside(parts, `${stem}${DATA_ENDING}/${name}`, 'File', size), content: content() };
  }
}

async function* inputs(parts: SetParts, stem: string, call: KeyringCall): AsyncGenerator<TarInput> {
  const { settings, snapshot } = parts;
  const members: ManifestMember[] = [];
  for await (const { member, content } of contents(parts, stem)) {
    const hash = createHash('sha256');
    yield { member, content: hashed(content, hash) };
    members.push(listed(member, member.type === 'File' ? hash.digest('hex') : null));
  }
  const fingerprint = bareFingerprint(settings.configuration.LOCAL_FINGERPRINT);
  const { path: script } = memberBeside(parts, `${stem}.sql`, 'File', 0);
  const text = printManifest(describeSet(parts, script, members));
  const signed = Buffer.from(await clearSignWith(call, fingerprint, text));
  // A restore that went on meanwhile has ended the connection: then the two halves are not of one server any more.
  await snapshot.check();
  yield {
    member: memberBeside(parts, `${stem}${MANIFEST_ENDING}`, 'File', signed.length),
    content: [signed],
  };
}

async function* hashed(content: TarInput['content'], hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
}

/** Signs the receipt of a set that has been written. */
function proof(parts: SetParts, call: KeyringCall, directory: string, name: string) {
  const fingerprint = bareFingerprint(parts.settings.configuration.LOCAL_FINGERPRINT);
  const sign = (text: string) => clearSignWith(call, fingerprint, text);
  return (written: { size: number; sha256: string }) =>
    writeReceipt(directory, describeFile(parts, name, written), sign);
}

/**
 * Writes a set: the configuration directory, the dump with the script that loads it, and last the manifest that the
 * server signed; and beside it the receipt. Encrypted unless there are no recipients.
 */
export async function writeSet(parts: SetParts, directory: string): Promise<{ path: string; size: number }> {
  const { recipients, settings, created } = parts;
  const stem = await chooseStem(directory, settings.configuration.EXTERNAL_ADDRESS, created);
  return withKeyring(confdirFiles(settings.confdir), async (call) => {
    const archive = writeTar(inputs(parts, stem, call));
    const name = recipients.length === 0 ? `${stem}.tar` : `${stem}.tar.gpg`;
    const prove = proof(parts, call, directory, name);
    if (recipients.length === 0) return publishSet(directory, name, archive, prove);
    return withEncryption(archive, recipients, (encrypted) => publishSet(directory, name, encrypted, prove));
  });
}
