import type { Settings } from '../core/configuration.ts';
import type { Reporter } from '../core/reporter.ts';
import { readNode } from '../database/replication/node.ts';
import { privateCluster } from '../database/source.ts';
import { gpgVersion } from '../gpg/program.ts';
import { type Recipient, resolveRecipient } from '../gpg/recipients.ts';
import { afterwards } from './afterwards.ts';
import { collectConfdir, isTransient } from './collect.ts';
import { LOGGER } from './logger.ts';
import { checkApart, checkOutputDirectory } from './output.ts';
import { takeSequence } from './sequence.ts';
import { type DatabaseSnapshot, withSnapshot } from './snapshot.ts';
import { placeOf } from './survey.ts';
import { sweepUnfinished } from './sweep.ts';
import { writeSet } from './write-set.ts';

const MONTH = 30 * 86_400_000;

const FENCED =
  'The pair went on without this server: what it has is old, and no older set is deleted for this one';

/** What is done instead for a server whose database others run. */
const ELSEWHERE = 'copy the configuration directory, too: see BACKUP in docs/external-database.md';

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

/** Looks up everybody to whom a set is to be encrypted, and tells of them. */
export async function resolveAll(
  request: Pick<BackupRequest, 'recipients' | 'gnupgHome'>,
  reporter: Reporter,
): Promise<Recipient[]> {
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

async function assemble(
  settings: Settings,
  request: BackupRequest,
  snapshot: DatabaseSnapshot,
  recipients: Recipient[],
  reporter: Reporter,
): Promise<Omit<BackupResult, 'deleted'>> {
  const created = new Date();
  // Before the configuration is read, so that also what is restored by hand counts on behind this set.
  const sequence = await takeSequence(settings.confdir);
  const collection = await collectConfdir(settings.confdir);
  for (const path of collection.excluded) {
    const level = isTransient(path) ? 'DEBUG' : 'WARNING';
    reporter.log(LOGGER, level, `Leaving out ${path}`);
  }
  const parts = { settings, collection, snapshot, recipients, created, sequence, program: request.program };
  const published = await writeSet(parts, request.output);
  return {
    ...published,
    created: created.toISOString(),
    sequence,
    encrypted: recipients.length > 0,
    recipients: recipients.map((recipient) => recipient.fingerprint),
  };
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
  const DB_PORT = request.databasePort ?? configuration.DB_PORT;
  const cluster = privateCluster({ ...configuration, DB_PORT }, 'it is backed up where it is', ELSEWHERE);
  await checkApart(request.output, configuration.PG_ROOTDIR);
  await checkOutputDirectory(request.output, confdir);
  await gpgVersion();
  const recipients = await resolveAll(request, reporter);
  reporter.log(LOGGER, 'INFO', `Dumping the database on port ${cluster.port}`);
  const made = await reporter.step('backing up', () =>
    withSnapshot(cluster, account, request.output, async (snapshot) => {
      const size = snapshot.files.reduce((sum, file) => sum + file.size, 0);
      if (snapshot.missing !== undefined) reporter.log(LOGGER, 'WARNING', snapshot.missing);
      reporter.log(LOGGER, 'DEBUG', `Dumping ${size} bytes of PostgreSQL ${snapshot.postgresql}`);
      await sweepUnfinished(request.output, configuration.EXTERNAL_ADDRESS);
      return assemble(settings, request, snapshot, recipients, reporter);
    }),
  );
  reporter.log(LOGGER, 'INFO', `Wrote ${made.path} (${made.size} bytes)`);
  const isFenced = (await readNode(cluster))?.role === 'fenced';
  if (isFenced) reporter.log(LOGGER, 'WARNING', FENCED);
  const roll = isFenced ? undefined : request.roll;
  const deleted = await afterwards({ roll }, placeOf(settings, request.output), made.path, reporter);
  return { ...made, deleted };
}
