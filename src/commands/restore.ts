import { dirname } from 'node:path';
import { isClientSet } from '../lib/backups/include/contents.ts';
import { isOriginal } from '../lib/backups/original/read.ts';
import type { UnsignedResult } from '../lib/backups/original/restore.ts';
import { checkParent, checkSigner, planRestore } from '../lib/backups/restore/plan.ts';
import { restoreSet, resultOf } from '../lib/backups/restore/restore.ts';
import { isOfSet } from '../lib/backups/restore/settle.ts';
import { withRestoreSource } from '../lib/backups/restore/source.ts';
import { currentAccount, isRoot } from '../lib/core/account.ts';
import { environment } from '../lib/core/config.ts';
import { failure } from '../lib/core/errors.ts';
import { HANDED_FILE, receiveHandover } from '../lib/core/handover.ts';
import { ownerOf } from '../lib/core/ownership.ts';
import { reached } from '../lib/core/steps.ts';
import { refuseUnfinished } from '../lib/core/unfinished.ts';
import { bareCommand, flag, option } from '../lib/terminal/command.ts';
import { become } from '../lib/terminal/execute.ts';
import { describeOnlyResult, parseOnly } from '../lib/terminal/only.ts';
import { opening, signingHome } from '../lib/terminal/options.ts';
import { confirm } from '../lib/terminal/prompts.ts';
import { describePlan, describeResult } from '../lib/terminal/restore.ts';
import { describeClientResult, restoreClient } from '../lib/terminal/restore-directories.ts';
import { restoreParts } from '../lib/terminal/restore-only.ts';
import { prepareRestoreOwner } from '../lib/terminal/restore-owner.ts';
import { finishRestore, settle } from '../lib/terminal/restore-settle.ts';
import {
  describeOriginal,
  restoreUnsignedSet,
  unsignedOptions,
  zipPair,
} from '../lib/terminal/restore-unsigned.ts';
import { sudoLine } from '../lib/terminal/sudo.ts';
import { path } from '../lib/terminal/values.ts';

function setFile([file]: string[]): string {
  if (file === undefined)
    throw failure('usage', 'missing <file>', 'ktadmin restore --help shows how it is used');
  return path(file);
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
    dryRun: flag('--dry-run', 'show what --only would do and change nothing'),
    force: flag('--force', 'replace this server even by the set of another'),
    finish: flag('--finish', 'complete a restore that was cut off while old and new were exchanged'),
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
    if (values.finish) return finishRestore(confdir, values.user, terminal);
    const [typed = ''] = args;
    if (isClientSet(typed)) return restoreClient(path(typed), values, terminal);
    const handed = await receiveHandover();
    const whole = values.only.length === 0;
    const zips = zipPair(values, whole && args.length === 0, terminal);
    const file = handed === undefined ? (zips?.config ?? setFile(args)) : HANDED_FILE;
    if (whole && values.dryRun) throw failure('usage', '--dry-run needs --only');
    if (!whole) await refuseUnfinished(confdir);
    const account = await (whole
      ? prepareRestoreOwner(confdir, values.user, terminal)
      : ownerOf(confdir, sudoLine));
    if (whole) await checkParent(confdir);
    const decryption = {
      gnupgHome: values.gnupgHome ?? environment.gnupgHome,
      home: environment.home ?? currentAccount().home,
      passphraseFile: handed === undefined ? values.passphraseFile : undefined,
      interactive: terminal.canAsk,
    };
    const near = dirname(confdir);
    const pair = handed === undefined ? { zips } : {};
    return withRestoreSource({ file, near, ...decryption, ...pair }, terminal, async (read, archive) => {
      // Another process, which goes on where this one cannot change its identity, has to open it again.
      if (isRoot()) await archive.chown(account.uid, account.gid);
      await become(account, terminal, { file: archive.fd });
      if (whole && (zips !== undefined || (await isOriginal(archive)))) {
        if (values.fingerprint !== undefined)
          throw failure(
            'untrusted',
            'nobody signed this set, so it cannot be by --fingerprint',
            'leave that out',
          );
        await settle(confdir, 'finish', account, terminal);
        const request = { ...values, confdir, setName: args[0] ?? '' };
        return restoreUnsignedSet(archive, request, account, terminal);
      }
      const contents = await read();
      checkSigner(contents, values.fingerprint);
      if (!whole) return restoreParts(contents, values, { confdir, account, terminal });
      reached('restore-verified');
      const settled = await settle(confdir, 'finish', account, terminal);
      if (settled !== undefined && isOfSet(settled, contents.manifest)) return resultOf(settled, confdir);
      const plan = await planRestore(contents, confdir, values.force);
      terminal.notice(describePlan(plan));
      if (!values.yes && !(await confirm(terminal, 'Replace what is there?', '--yes')))
        throw failure('failed', 'nothing was changed');
      return restoreSet(contents, plan, account, terminal);
    });
  },
  print: (result, terminal) => {
    if (result === undefined) return undefined;
    if ('directories' in result) return terminal.write(describeClientResult(result));
    if ('disabled' in result) return terminal.write(describeOnlyResult(result));
    return terminal.write(describeResult(result) + describeOriginal(result as UnsignedResult));
  },
});
