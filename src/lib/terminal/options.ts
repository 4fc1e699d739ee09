import { DEFAULT_SIGNING_HOME } from '../core/config.ts';
import { option } from './command.ts';
import { fingerprint, path } from './values.ts';

/** `--pg-rootdir`, of every `db` command. */
export const pgRootdir = option(
  '--pg-rootdir <dir>',
  'where the cluster lies (default: what keytrustee.conf says)',
  path,
);

/** How a set is opened, and whose it must be. */
export const opening = {
  gnupgHome: option('--gnupg-home <dir>', 'GnuPG home of the recipient (default: that of the caller)', path),
  passphraseFile: option(
    '--passphrase-file <file>',
    'file whose first line is the passphrase of that key',
    path,
  ),
  fingerprint: option(
    '--fingerprint <fingerprint>',
    'the server that must have signed it (default: the one of this host)',
    fingerprint,
  ),
};

/** `--signing-home`, of what reads a client's set. */
export const signingHome = option(
  '--signing-home <dir>',
  `of a client's set: where this host's own key lies (default: ${DEFAULT_SIGNING_HOME})`,
  path,
);
