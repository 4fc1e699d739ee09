import { dirname } from 'node:path';
import { isClientSet } from '../lib/backups/include/contents.ts';
import { isOriginal } from '../lib/backups/original/read.ts';
import type { UnsignedResult } from '../lib/backups/original/restore.ts';
import { checkParent, checkSigner } from '../lib/backups/restore/plan.ts';
import { withRestoreSource } from '../lib/backups/restore/source.ts';
import { type Account, currentAccount, isRoot } from '../lib/core/account.ts';
import { environment } from '../lib/core/config.ts';
import { failure } from '../lib/core/errors.ts';
import { exists } from '../lib/core/files.ts';
import { HANDED_FILE, receiveHandover } from '../lib/core/handover.ts';
import { ownerOf } from '../lib/core/ownership.ts';
import { refuseUnfinished } from '../lib/core/unfinished.ts';
import { bareCommand, flag, option } from '../lib/terminal/command.ts';
import { become } from '../lib/terminal/execute.ts';
import { describeOnlyResult, parseOnly } from '../lib/terminal/only.ts';
import { opening, signingHome } from '../lib/terminal/options.ts';
import { describeDryRun, describeResult, VERDICT } from '../lib/terminal/restore.ts';
import { describeClientResult, restoreClient } from '../lib/terminal/restore-directories.ts';
import { restoreParts } from '../lib/terminal/restore-only.ts';
import { findRestoreOwner, prepareRestoreOwner } from '../lib/terminal/restore-owner.ts';
import { finishRestore, settle } from '../lib/terminal/restore-settle.ts';
import { describeUndone, undo } from '../lib/terminal/restore-undo.ts';
import {
  describeOriginal,
  restoreUnsignedSet,
  unsignedOptions,
  zipPair,
} from '../lib/terminal/restore-unsigned.ts';
import { dryRun, restoreWhole } from '../lib/terminal/restore-whole.ts';
import { sudoLine } from '../lib/terminal/sudo.ts';
import type { Terminal } from '../lib/terminal/terminal.ts';
import { path } from '../lib/terminal/values.ts';

function setFile([file]: string[]): string {
  if (file === undefined)
    throw failure('usage', 'missing <file>', 'ktadmin restore --help shows how it is used');
  return path(file);
}

/** What goes back or finishes needs no set, and has nothing to show beforehand that it does not show when it asks. */
function checkAlone(
  typed: { undo: boolean; finish: boolean; dryRun: boolean; only: unknown[] },
  args: string[],
) {
  const alone = typed.undo ? '--undo' : '--finish';
  const more = typed.dryRun || typed.only.length > 0 || args.length > 0 || (typed.undo && typed.finish);
  if (more) throw failure('usage', `${alone} stands alone: it takes no file, no --only and no --dry-run`);
}

/** Whom the server belongs to, or will; a dry run makes no account and no directory. */
function ownerFor(
  { dryRun: isDry, user }: { dryRun: boolean; user: string | undefined },
  confdir: string,
  terminal: Terminal,
): Promise<Account | undefined> {
  return isDry ? findRestoreOwner(confdir, user, terminal) : prepareRestoreOwner(confdir, user, terminal);
}

/** `restore`: puts a backup set back, all of it or nothing. */
export default bareCommand({
  words: '[file]',
  options: {
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
    gnupgHome: option(
      '--gnupg-home <dir>',
      'GnuPG home of the recipient (default: that of the caller)',
      path,
    ),
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
  },
  examples: ['ktadmin restore kts_bak_kts01_example_com_2026-02-10_11-14-37.tar.gpg'],
  async run(values, { globals, terminal, args }) {
    const { confdir } = globals;
    if (values.undo || values.finish) checkAlone(values, args);
    if (values.undo) return undo(confdir, values, terminal);
    if (values.finish) return finishRestore(confdir, values.user, terminal);
    const [typed = ''] = args;
    if (isClientSet(typed)) return restoreClient(path(typed), values, terminal);
    const handed = await receiveHandover();
    const whole = values.only.length === 0;
    const zips = zipPair(values, whole && args.length === 0, terminal);
    const file = handed === undefined ? (zips?.config ?? setFile(args)) : HANDED_FILE;
    if (!whole) await refuseUnfinished(confdir);
    const account = await (whole ? ownerFor(values, confdir, terminal) : ownerOf(confdir, sudoLine));
    if (whole && !values.dryRun) await checkParent(confdir);
    const decryption = {
      gnupgHome: values.gnupgHome ?? environment.gnupgHome,
      home: environment.home ?? currentAccount().home,
      passphraseFile: handed === undefined ? values.passphraseFile : undefined,
      interactive: terminal.canAsk,
    };
    const near = (await exists(dirname(confdir))) ? dirname(confdir) : '/tmp';
    const pair = handed === undefined ? { zips } : {};
    return withRestoreSource({ file, near, ...decryption, ...pair }, terminal, async (read, archive) => {
      // Another process, which goes on where this one cannot change its identity, has to open it again.
      if (isRoot() && account !== undefined) await archive.chown(account.uid, account.gid);
      if (account !== undefined) await become(account, terminal, { file: archive.fd });
      if (whole && (zips !== undefined || (await isOriginal(archive)))) {
        if (values.fingerprint !== undefined)
          throw failure(
            'untrusted',
            'nobody signed this set, so it cannot be by --fingerprint',
            'leave that out',
          );
        if (account === undefined || values.dryRun)
          throw failure('usage', '--dry-run is for signed sets, and this one is not');
        await settle(confdir, 'finish', account, terminal);
        const request = { ...values, confdir, setName: args[0] ?? '' };
        return restoreUnsignedSet(archive, request, account, terminal);
      }
      const contents = await read();
      checkSigner(contents, values.fingerprint);
      if (account === undefined || (whole && values.dryRun))
        return dryRun(contents, values, confdir, terminal);
      if (!whole) return restoreParts(contents, values, { confdir, account, terminal });
      return restoreWhole(contents, values, confdir, account, terminal);
    });
  },
  print: (result, terminal) => {
    if (result === undefined) return undefined;
    if ('directories' in result) return terminal.write(describeClientResult(result));
    if ('undone' in result) return terminal.write(describeUndone(result));
    if ('steps' in result) return terminal.write(describeDryRun(result));
    if ('disabled' in result) return terminal.write(describeOnlyResult(result));
    const original = describeOriginal(result as UnsignedResult);
    // Of a dump that the server does not use, no row was looked for.
    return terminal.write(`${describeResult(result)}${original}${original === '' ? VERDICT : ''}`);
  },
});
