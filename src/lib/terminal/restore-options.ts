import { flag, type OptionValues, option } from './command.ts';
import { parseOnly } from './only.ts';
import { opening, signingHome } from './options.ts';
import { unsignedOptions } from './restore-unsigned.ts';
import { path } from './values.ts';

/** The options of `restore`. */
export const restoreOptions = {
  yes: flag('--yes', 'do not ask'),
  only: option(
    '--only <what>',
    'bring back only organization=NAME or deposit=UUID, into the server that runs; repeatable',
    parseOnly,
  ).repeatable(),
  dryRun: flag('--dry-run', 'decrypt and verify the set, show every step, and change nothing'),
  force: flag('--force', 'replace this server even by the set of another'),
  undo: flag('--undo', 'bring back what was there before the last restore, or the last undo'),
  finish: flag('--finish', 'complete a restore that was cut off while old and new were exchanged'),
  relocate: flag('--relocate', 'restore into another --confdir than the one that the set was made of'),
  gnupgHome: option('--gnupg-home <dir>', 'GnuPG home of the recipient (default: that of the caller)', path),
  passphraseFile: option(
    '--passphrase-file <file>',
    'file whose first line is the passphrase of that key, or the password of zip files',
    path,
  ),
  ...unsignedOptions,
  fingerprint: opening.fingerprint,
  signingHome,
  user: option(
    '--user <name>',
    'service account, when there is no server yet (default: $KTADMIN_USER, else keytrustee)',
  ),
};

/** What was typed for a restore. */
export type RestoreValues = OptionValues<typeof restoreOptions>;
