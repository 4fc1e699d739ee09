import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TarMember } from '../archive/member.ts';
import { inPieces, type TarInput, writeTar } from '../archive/write.ts';
import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { DATABASE } from '../database/cluster.ts';
import { encryptStream } from '../gpg/encrypt.ts';
import { type KeyringCall, withKeyring } from '../gpg/program.ts';
import type { Recipient } from '../gpg/recipients.ts';
import { bareFingerprint } from '../gpg/server-key.ts';
import { clearSignWith } from '../gpg/signature.ts';
import type { Collection } from './collect.ts';
import { MANIFEST_ENDING, type Manifest, type ManifestMember, printManifest } from './manifest.ts';
import { chooseStem, publishSet } from './output.ts';
import { type Receipt, writeReceipt } from './receipt.ts';
import type { DatabaseSnapshot } from './snapshot.ts';

/** What goes into a set. `created` in UTC. */
export interface SetParts {
  settings: Settings;
  collection: Collection;
  snapshot: DatabaseSnapshot;
  recipients: Recipient[];
  created: Date;
  sequence: number;
  program: string;
}

/** A file of ours that lies beside the configuration directory when the set is unpacked. */
function memberBeside({ settings, created }: SetParts, name: string, size: number): TarMember {
  const { account, confdir } = settings;
  return {
    path: join(confdir, '..', name).replace(/^\/+/, ''),
    type: 'File',
    size,
    mode: 0o600,
    owner: account.name,
    group: account.name,
    uid: account.uid,
    gid: account.gid,
    modified: created,
  };
}

function listed(member: TarMember, sha256: string | null): ManifestMember {
  const { path, type, size, mode, owner } = member;
  return { path, type, size, sha256, mode: mode.toString(8).padStart(4, '0'), owner };
}

function describeSet(parts: SetParts, dump: TarMember): Manifest {
  const { settings, collection, snapshot, recipients, created, sequence, program } = parts;
  const { configuration, confdir, account } = settings;
  const { postgresql, systemIdentifier, rows } = snapshot;
  return {
    format: 1,
    program,
    created: created.toISOString(),
    sequence,
    host: configuration.EXTERNAL_ADDRESS,
    fingerprint: configuration.LOCAL_FINGERPRINT,
    confdir,
    account: account.name,
    database: { name: DATABASE, member: dump.path, postgresql, systemIdentifier, rows },
    recipients: recipients.map(({ fingerprint, userId }) => ({ fingerprint, userId })),
    excluded: collection.excluded,
    members: [
      ...collection.members.map(({ member, sha256 }) => listed(member, sha256)),
      listed(dump, snapshot.dump.sha256),
    ],
  };
}

async function* inputs(parts: SetParts, stem: string, call: KeyringCall): AsyncGenerator<TarInput> {
  const { settings, collection, snapshot } = parts;
  for (const { member, data } of collection.members) yield { member, content: [data] };
  const dump = memberBeside(parts, `${stem}.sql`, snapshot.dump.size);
  yield { member: dump, content: snapshot.dump.content() };
  const fingerprint = bareFingerprint(settings.configuration.LOCAL_FINGERPRINT);
  const text = printManifest(describeSet(parts, dump));
  const signed = Buffer.from(await clearSignWith(call, fingerprint, text));
  // A restore that went on meanwhile has ended the connection: then the two halves are not of one server any more.
  await snapshot.check();
  const manifest = memberBeside(parts, `${stem}${MANIFEST_ENDING}`, signed.length);
  yield { member: manifest, content: [signed] };
}

/** Signs the receipt of a set that has been written. */
function proof(parts: SetParts, call: KeyringCall, directory: string, name: string) {
  const { settings, recipients, created, sequence, snapshot } = parts;
  const { EXTERNAL_ADDRESS: host, LOCAL_FINGERPRINT: fingerprint } = settings.configuration;
  return (written: { size: number; sha256: string }) => {
    const receipt: Receipt = {
      format: 1,
      name,
      ...written,
      created: created.toISOString(),
      sequence,
      host,
      fingerprint,
      recipients: recipients.map(({ fingerprint, userId }) => ({ fingerprint, userId })),
      rows: snapshot.rows,
      encrypted: recipients.length > 0,
    };
    return writeReceipt(directory, receipt, (text) =>
      clearSignWith(call, bareFingerprint(fingerprint), text),
    );
  };
}

/**
 * Writes a set: the configuration directory, the dump, and last the manifest that the server signed; and beside it the
 * receipt. Encrypted unless there are no recipients.
 */
export async function writeSet(parts: SetParts, directory: string): Promise<{ path: string; size: number }> {
  const stem = await chooseStem(directory, parts.settings.configuration.EXTERNAL_ADDRESS, parts.created);
  return withKeyring(confdirFiles(parts.settings.confdir), async (call) => {
    const archive = inPieces(writeTar(inputs(parts, stem, call)));
    const name = parts.recipients.length === 0 ? `${stem}.tar` : `${stem}.tar.gpg`;
    const prove = proof(parts, call, directory, name);
    if (parts.recipients.length === 0) return publishSet(directory, name, archive, prove);
    const plain = Readable.from(archive, { objectMode: false });
    const encrypted = await encryptStream(plain, parts.recipients);
    return publishSet(directory, name, encrypted as AsyncIterable<Buffer>, prove);
  });
}
