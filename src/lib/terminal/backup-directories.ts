import { makeClientBackup } from '../backups/include/make.ts';
import type { BackupResult } from '../backups/make.ts';
import { currentAccount } from '../core/account.ts';
import { confdirFiles, DEFAULT_SIGNING_HOME } from '../core/config.ts';
import { failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { PROGRAM } from '../core/version.ts';
import { keyringOf } from '../gpg/keyring.ts';
import type { Context } from './command.ts';

/** What `backup` was given, as far as directories need it. */
interface Values {
  gpgRecipient: string[];
  output: string | undefined;
  roll: number | undefined;
  include: string[];
  signingHome: string | undefined;
  databasePort: number | undefined;
  metricsFile: string | undefined;
}

/** `backup --include`: backs up directories as whoever called, who can read them. There need be no server. */
export async function backupDirectories(
  values: Values,
  { globals, terminal }: Context,
): Promise<BackupResult> {
  const { gpgRecipient: recipients, output, roll, include, databasePort } = values;
  const { signingHome = DEFAULT_SIGNING_HOME } = values;
  if (output === undefined) throw failure('usage', 'with --include, say where the set is put: give --output');
  if (databasePort !== undefined)
    throw failure('usage', 'with --include no database is backed up', 'leave out --database-port');
  if (values.metricsFile !== undefined)
    throw failure('usage', 'with --include no metrics are written', 'leave out --metrics-file');
  if (await exists(confdirFiles(globals.confdir).configuration).catch(() => false))
    terminal.warn('this set holds the included directories alone; the server here needs a backup of its own');
  if (recipients.length === 0 && !terminal.quiet)
    terminal.warn('this set is not encrypted: whoever reads it has everything in those directories');
  const request = {
    directories: include,
    recipients,
    gnupgHome: await keyringOf(currentAccount()),
    output,
    roll,
    signingHome,
    program: PROGRAM,
  };
  return makeClientBackup(request, terminal);
}
