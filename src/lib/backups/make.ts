import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TarMember } from '../archive/member.ts';
import { inPieces, type TarInput, writeTar } from '../archive/write.ts';
import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import type { Reporter } from '../core/reporter.ts';
import { clusterAt } from '../database/cluster.ts';
import { encryptStream } from '../gpg/encrypt.ts';
import { gpgVersion } from '../gpg/program.ts';
import { type Recipient, resolveRecipient } from '../gpg/recipients.ts';
import { bareFingerprint } from '../gpg/server-key.ts';
import { clearSign } from '../gpg/signature.ts';
import { type Collection, collectConfdir } from './collect.ts';
import { MANIFEST_ENDING, type Manifest, type ManifestMember, printManifest } from './manifest.ts';
import { setStem } from './name.ts';
import { checkOutputDirectory, publishSet } from './output.ts';
import { rollSets, sweepUnfinished } from './roll.ts';
import { nextSequence, recordSequence } from './sequence.ts';
import { type DatabaseSnapshot, withSnapshot } from './snapshot.ts';

/** The name under which log lines of a backup appear. */
const LOGGER = 'keytrustee.server.backup';
const MONTH = 30 * 86_400_000;

/** What kind of set is wanted. No recipient means clear text: the caller has asked for that in so many words. */
export interface BackupRequest {
  recipients: string[];
  gnupgHome: string;
  output: string;
  roll: number | undefined;
  databasePort: number | undefined;
  program: string;
}

/** A set that was made. `size` in bytes, `created` in UTC. */
export interface BackupResult {
  path: string;
  size: number;
  created: string;
  sequence: number;
  encrypted: boolean;
  recipients: string[];
  deleted: string[];
}

async function resolveAll(request: BackupRequest, reporter: Reporter): Promise<Recipient[]> {
  const found = new Map<string, Recipient>();
  for (const name of request.recipients) {
    const recipient = await resolveRecipient(request.gnupgHome, name);
    found.set(recipient.fingerprint, recipient);
    reporter.log(LOGGER, 'INFO', `Encrypting to ${recipient.fingerprint} ${recipient.userId}`);
    if (recipient.expires !== undefined && recipient.expires.getTime() - Date.now() < MONTH) {
      reporter.log(
        LOGGER,
        'WARNING',
        `The key ${recipient.fingerprint} expires on ${recipient.expires.toISOString().slice(0, 10)}`,
      );
    }
  }
  return [...found.values()];
}

/** What a set is made of, before it is written. */
interface Contents {
  settings: Settings;
  collection: Collection;
  snapshot: DatabaseSnapshot;
  dump: TarMember;
  manifest: Omit<Manifest, 'members'>;
}

function memberOf(
  contents: Pick<Contents, 'settings'>,
  name: string,
  size: number,
  modified: Date,
): TarMember {
  const { account, confdir } = contents.settings;
  const path = join(confdir, '..', name).replace(/^\/+/, '');
  return {
    path,
    type: 'File',
    size,
    mode: 0o600,
    owner: account.name,
    group: account.name,
    uid: account.uid,
    gid: account.gid,
    modified,
  };
}

function listed(member: TarMember, sha256: string | null): ManifestMember {
  const { path, type, size, mode, owner } = member;
  return { path, type, size, sha256, mode: mode.toString(8).padStart(4, '0'), owner };
}

async function* inputs(contents: Contents): AsyncGenerator<TarInput> {
  const { collection, snapshot, settings, manifest } = contents;
  for (const { member, data } of collection.members) yield { member, content: [data] };
  yield { member: contents.dump, content: snapshot.dump.content() };
  const members = [
    ...collection.members.map(({ member, sha256 }) => listed(member, sha256)),
    listed(contents.dump, snapshot.dump.sha256),
  ];
  const keyring = confdirFiles(settings.confdir);
  const fingerprint = bareFingerprint(settings.configuration.LOCAL_FINGERPRINT);
  const signed = Buffer.from(await clearSign(keyring, fingerprint, printManifest({ ...manifest, members })));
  const name =
    contents.dump.path
      .split('/')
      .at(-1)
      ?.replace(/\.sql$/, MANIFEST_ENDING) ?? '';
  yield { member: memberOf(contents, name, signed.length, contents.dump.modified), content: [signed] };
}

function describeSet(settings: Settings, request: BackupRequest, snapshot: DatabaseSnapshot, created: Date) {
  const { configuration, confdir, account } = settings;
  return {
    format: 1 as const,
    program: request.program,
    created: created.toISOString(),
    host: configuration.EXTERNAL_ADDRESS,
    fingerprint: configuration.LOCAL_FINGERPRINT,
    confdir,
    account: account.name,
    database: {
      name: 'keytrustee',
      member: '',
      postgresql: snapshot.postgresql,
      systemIdentifier: snapshot.systemIdentifier,
      rows: snapshot.rows,
    },
  };
}

async function writeSet(
  settings: Settings,
  request: BackupRequest,
  snapshot: DatabaseSnapshot,
  recipients: Recipient[],
): Promise<Omit<BackupResult, 'deleted'>> {
  const created = new Date();
  const host = settings.configuration.EXTERNAL_ADDRESS;
  const collection = await collectConfdir(settings.confdir);
  const sequence = await nextSequence(settings.confdir);
  const dump = memberOf({ settings }, `${setStem(host, created)}.sql`, snapshot.dump.size, created);
  const described = describeSet(settings, request, snapshot, created);
  const manifest = {
    ...described,
    sequence,
    database: { ...described.database, member: dump.path },
    recipients: recipients.map(({ fingerprint, userId }) => ({ fingerprint, userId })),
    excluded: collection.excluded,
  };
  const archive = inPieces(writeTar(inputs({ settings, collection, snapshot, dump, manifest })));
  const encrypted = recipients.length > 0;
  const content = encrypted
    ? await encryptStream(Readable.from(archive, { objectMode: false }), recipients)
    : archive;
  const target = { directory: request.output, host, created, ending: encrypted ? '.tar.gpg' : '.tar' };
  const published = await publishSet(target, content as AsyncIterable<Buffer>);
  await recordSequence(settings.confdir, sequence);
  const fingerprints = recipients.map((recipient) => recipient.fingerprint);
  return { ...published, created: manifest.created, sequence, encrypted, recipients: fingerprints };
}

/**
 * Makes a backup set: dump and configuration of one moment, archived, encrypted to the recipients, signed by the server,
 * read back and only then given its name; afterwards older sets are deleted down to `roll`.
 */
export async function makeBackup(
  settings: Settings,
  request: BackupRequest,
  reporter: Reporter,
): Promise<BackupResult> {
  const { configuration, confdir, account } = settings;
  await checkOutputDirectory(request.output, confdir);
  await gpgVersion();
  const recipients = await resolveAll(request, reporter);
  const cluster = clusterAt(configuration.PG_ROOTDIR, request.databasePort ?? configuration.DB_PORT);
  reporter.log(LOGGER, 'INFO', `Dumping the database on port ${cluster.port}`);
  const made = await reporter.step('backing up', () =>
    withSnapshot(cluster, account, request.output, async (snapshot) => {
      await sweepUnfinished(request.output, configuration.EXTERNAL_ADDRESS);
      return writeSet(settings, request, snapshot, recipients);
    }),
  );
  reporter.log(LOGGER, 'INFO', `Wrote ${made.path} (${made.size} bytes)`);
  return { ...made, deleted: await roll(request, configuration.EXTERNAL_ADDRESS, made.path, reporter) };
}

async function roll(
  request: BackupRequest,
  host: string,
  made: string,
  reporter: Reporter,
): Promise<string[]> {
  if (request.roll === undefined) return [];
  try {
    const deleted = await rollSets(request.output, host, request.roll, made);
    for (const path of deleted) reporter.log(LOGGER, 'INFO', `Deleted ${path}`);
    return deleted;
  } catch (error) {
    throw failure(
      'failed',
      `the backup ${made} was made, but older sets could not be deleted`,
      undefined,
      error,
    );
  }
}
