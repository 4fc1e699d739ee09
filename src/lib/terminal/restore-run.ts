import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isClientSet } from '../backups/include/contents.ts';
import { isOriginal } from '../backups/original/read.ts';
import { isConfirmed } from '../backups/restore/confirm.ts';
import { checkParent, checkSigner } from '../backups/restore/plan.ts';
import { refuseByRole } from '../backups/restore/refuse.ts';
import { withRestoreSource } from '../backups/restore/source.ts';
import { type Account, currentAccount, isRoot } from '../core/account.ts';
import { environment } from '../core/config.ts';
import { failure, STATUS } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { HANDED_FILE, receiveHandover } from '../core/handover.ts';
import { ownerOf } from '../core/ownership.ts';
import { refuseUnfinished } from '../core/unfinished.ts';
import type { Context } from './command.ts';
import { become } from './execute.ts';
import { restoreClient } from './restore-directories.ts';
import { restoreParts } from './restore-only.ts';
import type { RestoreValues } from './restore-options.ts';
import { findRestoreOwner, prepareRestoreOwner } from './restore-owner.ts';
import { finishRestore, settle } from './restore-settle.ts';
import { undo } from './restore-undo.ts';
import { restoreUnsignedSet, zipPair } from './restore-unsigned.ts';
import { dryRun, restoreWhole } from './restore-whole.ts';
import { sudoLine } from './sudo.ts';
import type { Terminal } from './terminal.ts';
import { path } from './values.ts';

/** A restore of a server's set: what was typed, and whose server it is to be; a dry run may find nobody. */
interface Request {
  values: RestoreValues;
  confdir: string;
  terminal: Terminal;
  account: Account | undefined;
  /** What was typed for the set. */
  typed: string;
}

function setFile(typed: string): string {
  if (typed === '') throw failure('usage', 'missing <file>', 'ktadmin restore --help shows how it is used');
  return path(typed);
}

/** What goes back or finishes needs no set, and has nothing to show beforehand that it does not show when it asks. */
function checkAlone(values: RestoreValues, args: string[]): void {
  const alone = values.undo ? '--undo' : '--finish';
  const more = values.dryRun || values.only.length > 0 || args.length > 0 || (values.undo && values.finish);
  if (more) throw failure('usage', `${alone} stands alone: it takes no file, no --only and no --dry-run`);
}

/** Whom the server belongs to, or will; a dry run makes no account and no directory. */
function ownerFor(
  { only, dryRun: isDry, user }: RestoreValues,
  confdir: string,
  terminal: Terminal,
): Promise<Account | undefined> {
  if (only.length > 0) return ownerOf(confdir, sudoLine);
  return isDry ? findRestoreOwner(confdir, user, terminal) : prepareRestoreOwner(confdir, user, terminal);
}

/** A set that nobody signed: of the original product, or the manual's zip files. */
async function restoreUnsigned(archive: FileHandle, request: Request) {
  const { values, confdir, terminal, account, typed } = request;
  if (values.fingerprint !== undefined)
    throw failure('untrusted', 'nobody signed this set, so it cannot be by --fingerprint', 'leave that out');
  if (account === undefined || values.dryRun)
    throw failure('usage', '--dry-run is for signed sets, and this one is not');
  await settle(confdir, 'finish', account, terminal);
  return restoreUnsignedSet(archive, { ...values, confdir, setName: typed }, account, terminal);
}

async function restoreServer(request: Request) {
  const { values, confdir, terminal, account, typed } = request;
  const isWhole = values.only.length === 0;
  const handed = (await receiveHandover()) !== undefined;
  const zips = zipPair(values, isWhole && typed === '', terminal);
  const decryption = {
    file: handed ? HANDED_FILE : (zips?.config ?? setFile(typed)),
    near: (await exists(dirname(confdir))) ? dirname(confdir) : '/tmp',
    gnupgHome: values.gnupgHome ?? environment.gnupgHome,
    home: environment.home ?? currentAccount().home,
    passphraseFile: handed ? undefined : values.passphraseFile,
    interactive: terminal.canAsk,
    zips: handed ? undefined : zips,
  };
  return withRestoreSource(decryption, terminal, async (read, archive) => {
    // Another process, which goes on where this one cannot change its identity, has to open it again.
    if (isRoot() && account !== undefined) await archive.chown(account.uid, account.gid);
    if (account !== undefined) await become(account, terminal, { file: archive.fd });
    if (isWhole && (zips !== undefined || (await isOriginal(archive))))
      return restoreUnsigned(archive, request);
    const contents = await read();
    checkSigner(contents, values.fingerprint);
    if (account === undefined || (isWhole && values.dryRun))
      return dryRun(contents, values, confdir, terminal);
    if (!isWhole) return restoreParts(contents, values, { confdir, account, terminal });
    return restoreWhole(contents, values, confdir, account, terminal);
  });
}

/** Does what was typed behind `restore`. */
async function restore(values: RestoreValues, { globals, terminal, args }: Context) {
  const { confdir } = globals;
  if (values.undo || values.finish) checkAlone(values, args);
  if (values.undo) return undo(confdir, values, terminal);
  if (values.finish) return finishRestore(confdir, values.user, terminal);
  const [typed = ''] = args;
  if (isClientSet(typed)) return restoreClient(path(typed), values, terminal);
  if (values.only.length > 0) await refuseUnfinished(confdir);
  await refuseByRole(confdir, values.pgRootdir);
  const account = await ownerFor(values, confdir, terminal);
  if (values.only.length === 0 && !values.dryRun) await checkParent(confdir);
  return restoreServer({ values, confdir, terminal, account, typed });
}

/** The same. What was put in place on the active server of a pair, and is not known to be on the other one, is told as such. */
export async function runRestore(values: RestoreValues, context: Context) {
  const result = await restore(values, context);
  const isOfServer =
    result !== undefined && !('directories' in result || 'steps' in result || 'disabled' in result);
  if (!isOfServer || (await isConfirmed(context.globals.confdir))) return result;
  process.exitCode = STATUS.unreachable;
  return { ...result, confirmed: false };
}

/** Ends a command whose result stands on stdout, and is not known to be on the passive server. */
export function unconfirmed(): Error {
  return failure(
    'unreachable',
    'it is in place on this server, but the passive server has not confirmed that it has it, too',
    'it takes it over when it follows again: ktadmin ha status',
  );
}
