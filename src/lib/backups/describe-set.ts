import type { TarMember } from '../archive/member.ts';
import type { Settings } from '../core/configuration.ts';
import { DATABASE } from '../database/cluster.ts';
import type { Recipient } from '../gpg/recipients.ts';
import type { Collection } from './collect.ts';
import type { Manifest, ManifestMember } from './manifest.ts';
import type { Receipt } from './receipt.ts';
import { dataDirectory } from './script.ts';
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

/** A member as the manifest lists it. */
export function listed(member: TarMember, sha256: string | null): ManifestMember {
  const { path, type, size, mode, owner } = member;
  return { path, type, size, sha256, mode: mode.toString(8).padStart(4, '0'), owner };
}

/** What a set says of itself; `script` is the path of the one that loads its database. */
export function describeSet(parts: SetParts, script: string, members: ManifestMember[]): Manifest {
  const { settings, collection, snapshot, recipients, created, sequence, program } = parts;
  const { configuration, confdir, account } = settings;
  const { postgresql, systemIdentifier, rows } = snapshot;
  const files = members.filter(({ path, type }) => type === 'File' && path.startsWith(dataDirectory(script)));
  return {
    format: 1,
    program,
    created: created.toISOString(),
    sequence,
    host: configuration.EXTERNAL_ADDRESS,
    fingerprint: configuration.LOCAL_FINGERPRINT,
    confdir,
    account: account.name,
    database: {
      name: DATABASE,
      member: script,
      parts: files.map(({ path }) => path),
      postgresql,
      systemIdentifier,
      rows,
    },
    recipients: recipients.map(({ fingerprint, userId }) => ({ fingerprint, userId })),
    excluded: collection.excluded,
    members,
  };
}

/** What the receipt says of the file that a set has become. */
export function describeFile(
  { settings, recipients, created, sequence, snapshot }: SetParts,
  name: string,
  written: { size: number; sha256: string },
): Receipt {
  const { EXTERNAL_ADDRESS: host, LOCAL_FINGERPRINT: fingerprint } = settings.configuration;
  return {
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
}
