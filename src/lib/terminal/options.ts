import { option } from './command.ts';
import { path } from './values.ts';

/** `--pg-rootdir`, of every `db` command. */
export const pgRootdir = option(
  '--pg-rootdir <dir>',
  'where the cluster lies (default: what keytrustee.conf says)',
  path,
);
