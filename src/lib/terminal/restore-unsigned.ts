import type { FileHandle } from 'node:fs/promises';
import {
  planUnsigned,
  refuseUnsigned,
  type UnsignedPlan,
  type UnsignedRequest,
} from '../backups/original/plan.ts';
import { readUnsigned } from '../backups/original/read.ts';
import { restoreUnsigned, type UnsignedResult } from '../backups/original/restore.ts';
import type { ZipPair } from '../backups/original/zip-pair.ts';
import type { Check } from '../backups/verify/checks.ts';
import type { Account } from '../core/account.ts';
import { failure } from '../core/errors.ts';
import { recordedRestore } from './audit.ts';
import { flag, type OptionValues, option } from './command.ts';
import { askSecret, confirm } from './prompts.ts';
import { readSecret } from './secret.ts';
import type { Terminal } from './terminal.ts';
import { host, path, port } from './values.ts';

const COLUMN = 15;

function describeCheck({ check, outcome, detail }: Check): string {
  return `  ${check.padEnd(COLUMN)}${outcome === 'ok' ? `ok (${detail})` : `${outcome}: ${detail}`}`;
}

const countedRows = (rows: Record<string, number>) => {
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  return `${Object.keys(rows).length} tables, ${total} rows`;
};

function describeDump({ dump, rows }: UnsignedPlan): string {
  if (dump === 'own') return `${countedRows(rows)}, of this program: they become the server's database`;
  const where = dump === 'beside' ? 'loaded into the database keytrustee_original' : `kept as ${dump.path}`;
  return `${countedRows(rows)}, of another program: ${where}; the server's own database will be empty`;
}

function describePlan(plan: UnsignedPlan, checks: Check[]): string {
  const { confdir, replacesConfdir, cluster, makesCluster, configuration } = plan;
  const script =
    configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT === undefined
      ? []
      : [
          '  take care      keytrustee.conf names a command that the server will run for the key of its certificate',
        ];
  return [
    `set of ${configuration.EXTERNAL_ADDRESS}, ${plan.fingerprint}, without a signature`,
    ...checks.map(describeCheck),
    `  holds          ${describeDump(plan)}`,
    `  configuration  ${confdir} ${replacesConfdir ? 'will be replaced; the present one is kept beside it' : 'will be made'}`,
    ...(plan.migratesKeys
      ? ['  keys           will be brought from the form of GnuPG 1.x into that of 2.1']
      : []),
    `  database       ${cluster.root} ${makesCluster ? 'will be made' : 'will be loaded; the present database is kept under another name'}`,
    ...script,
  ].join('\n');
}

/** Restores an archive that has no manifest: what it is is shown, and it is taken only by whoever says so. */
export async function restoreUnsignedSet(
  archive: FileHandle,
  request: UnsignedRequest & { yes: boolean },
  account: Account,
  terminal: Terminal,
): Promise<UnsignedResult> {
  const checks: Check[] = [];
  const read = () => readUnsigned(archive, (check, finding) => checks.push({ check, ...finding }));
  const set = await terminal.step('reading the set', read);
  const plan = await planUnsigned(set, request);
  terminal.notice(describePlan(plan, checks));
  refuseUnsigned(request);
  if (!request.yes && !(await confirm(terminal, 'Replace what is there?', '--yes')))
    throw failure('failed', 'nothing was changed');
  const what = { restored: 'unsigned', fingerprint: plan.fingerprint };
  return recordedRestore({ confdir: request.confdir, account }, what, () =>
    restoreUnsigned(set, plan, account, terminal),
  );
}

/** Where the dump of other tables is, and how it is loaded. */
export function describeOriginal({ original }: Pick<UnsignedResult, 'original'>): string {
  if (original === undefined) return '';
  if ('database' in original)
    return `The dump is in the database ${original.database} (${countedRows(original.rows)}): ktadmin db psql -- -d ${original.database}\n`;
  return (
    `The dump is ${original.dump}; to load it into a database of its own:\n` +
    "  ktadmin db psql -- -d postgres -c 'create database keytrustee_original'\n" +
    `  ktadmin db psql -- -X ${original.cleans ? '' : '-v ON_ERROR_STOP=1 -1 '}-d keytrustee_original -f ${original.dump}\n`
  );
}

/** The options of `restore` for sets that nobody signed. */
export const unsignedOptions = {
  unsigned: flag('--unsigned', 'take a set that nobody signed: of the original product, or zip files'),
  databaseDump: option('--database-dump <zip>', "zip file of the database, in the manual's form", path),
  config: option('--config <zip>', "zip file of the configuration, in the manual's form", path),
  loadDump: flag('--load-dump', "load the original product's dump into a database of its own"),
  externalAddress: option(
    '--external-address <fqdn>',
    'name by which clients reach the restored server, where it is another, or an unsigned set does not say it',
    host,
  ),
  databasePort: option('--database-port <port>', 'port of PostgreSQL, where it is another or unknown', port),
  pgRootdir: option('--pg-rootdir <dir>', 'where the PostgreSQL cluster is to lie', path),
};

type Typed = OptionValues<typeof unsignedOptions>;

/** The manual's pair of zip files, where it was given: both, and no set besides. */
export function zipPair(
  typed: Pick<Typed, 'databaseDump' | 'config'> & { passphraseFile: string | undefined },
  isAlone: boolean,
  terminal: Terminal,
): ZipPair | undefined {
  const { databaseDump, config, passphraseFile } = typed;
  if (databaseDump === undefined && config === undefined) return undefined;
  if (databaseDump === undefined || config === undefined || !isAlone) {
    throw failure(
      'usage',
      '--database-dump and --config are given together, and without another set or --only',
      "a server's keys and its database belong to each other",
    );
  }
  const password = async (file: string) => {
    if (passphraseFile !== undefined) return readSecret(passphraseFile);
    if (terminal.canAsk) return askSecret(`Password of ${file}`, (text) => text);
    throw failure(
      'untrusted',
      `${file} has a password, and none was given`,
      'run it on a terminal, or give --passphrase-file F',
    );
  };
  return { databaseDump, config, password };
}
