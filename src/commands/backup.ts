import { dirname } from 'node:path';
import { makeBackup } from '../lib/backups/make.ts';
import { withMetrics } from '../lib/backups/metrics.ts';
import { prepareOutput } from '../lib/backups/output.ts';
import { placeOf } from '../lib/backups/survey.ts';
import { DEFAULT_SIGNING_HOME } from '../lib/core/config.ts';
import { failure } from '../lib/core/errors.ts';
import { PROGRAM } from '../lib/core/version.ts';
import { keyringOf } from '../lib/gpg/keyring.ts';
import { backupDirectories } from '../lib/terminal/backup-directories.ts';
import { command, flag, option } from '../lib/terminal/command.ts';
import { integer, path, port, recipient } from '../lib/terminal/values.ts';

function checkRecipients({ gpgRecipient, cleartext }: { gpgRecipient: string[]; cleartext: boolean }): void {
  if (gpgRecipient.length > 0 && cleartext)
    throw failure('usage', '--gpg-recipient and --cleartext exclude each other');
  if (gpgRecipient.length > 0 || cleartext) return;
  throw failure(
    'usage',
    'a backup is encrypted: give --gpg-recipient',
    'to write it in clear text, say so: --cleartext',
  );
}

/** `backup`: writes a backup set and prints its path. */
export default command({
  shortConfdir: true,
  options: {
    gpgRecipient: option(
      '--gpg-recipient <recipient>',
      'encrypt to this key: name, mail, key id or fingerprint; may be repeated',
      recipient,
    ).repeatable(),
    cleartext: flag('--cleartext', 'do not encrypt: whoever reads the file has every key'),
    output: option('--output <dir>', 'where the set is put (default: beside the configuration)', path),
    roll: option(
      '--roll <n>',
      'afterwards keep only the newest n good sets of this host',
      integer(1, 1_000_000),
    ),
    include: option(
      '--include <dir>',
      "back up this directory of a client's host instead of a server; may be repeated",
      path,
    ).repeatable(),
    signingHome: option(
      '--signing-home <dir>',
      `with --include: where the key lies that signs (default: ${DEFAULT_SIGNING_HOME})`,
      path,
    ),
    metricsFile: option(
      '--metrics-file <file>',
      'write metrics for Prometheus to this file, also when the backup fails',
      path,
    ),
    databasePort: option(
      '--database-port <port>',
      'port of the database (default: what keytrustee.conf says)',
      port,
    ),
  },
  examples: [
    "ktbackup --gpg-recipient='John Doe' --quiet --output=/var/backups/keytrustee --roll=10",
    'ktadmin backup --cleartext --output /mnt/safe',
    "ktadmin backup --include /etc/navencrypt --gpg-recipient='John Doe' --output=/var/backups/keytrustee",
  ],
  withoutServer: (values, context) => {
    checkRecipients(values);
    if (values.include.length > 0) return backupDirectories(values, context);
    if (values.signingHome !== undefined)
      throw failure('usage', '--signing-home has a meaning only with --include');
    return undefined;
  },
  async asCaller({ output }, { account, confdir }) {
    await prepareOutput(output ?? dirname(confdir), confdir, account);
  },
  async run({ gpgRecipient, cleartext, output, roll, databasePort, metricsFile }, { settings, terminal }) {
    if (cleartext && !terminal.quiet)
      terminal.warn('this set is not encrypted: whoever reads it has every key of this server');
    const request = {
      recipients: gpgRecipient,
      gnupgHome: await keyringOf(settings.account),
      output: output ?? dirname(settings.confdir),
      roll,
      databasePort,
      program: PROGRAM,
    };
    const place = placeOf(settings, request.output);
    const work = () => makeBackup(settings, request, terminal);
    return metricsFile === undefined
      ? work()
      : withMetrics({ ...request, place, file: metricsFile }, terminal, work);
  },
  print: (result, terminal) => terminal.write(`${result.path}\n`),
});
