import { type DrillRequest, drillSet } from '../../lib/backups/drill/drill.ts';
import { lookAtFile } from '../../lib/backups/drill/file.ts';
import { refuseLive } from '../../lib/backups/drill/scratch.ts';
import { startStopwatch } from '../../lib/backups/drill/stopwatch.ts';
import { withRestoreSource } from '../../lib/backups/restore/source.ts';
import { findPin } from '../../lib/backups/verify/pin.ts';
import { rememberDrilled, type SeenFile } from '../../lib/backups/verify/remember.ts';
import { isRoot } from '../../lib/core/account.ts';
import { failure, STATUS } from '../../lib/core/errors.ts';
import { HANDED_FILE, receiveHandover } from '../../lib/core/handover.ts';
import { bareCommand, option } from '../../lib/terminal/command.ts';
import { describeEvidence, drillAccount } from '../../lib/terminal/drill.ts';
import { become } from '../../lib/terminal/execute.ts';
import { opening } from '../../lib/terminal/options.ts';
import { sourceOf } from '../../lib/terminal/set-source.ts';
import { path } from '../../lib/terminal/values.ts';

/** What the caller has found, in a form that another process can go on with. */
type Prepared = Pick<DrillRequest, 'file' | 'pin'> & { seen: SeenFile; times: Record<string, number> };

/** `backup drill`: restores a set into a scratch cluster and takes it away again. */
export default bareCommand({
  shortConfdir: true,
  words: '<file>',
  options: {
    ...opening,
    user: option('--user <name>', "for root: who runs the scratch database (default: the server's account)"),
  },
  examples: ['ktadmin backup drill kts_bak_kts01_example_com_2026-02-10_11-14-37.tar.gpg --json'],
  async run(values, { globals, terminal, args }) {
    const handed = (await receiveHandover())?.prepared as Prepared | undefined;
    const account = await drillAccount(globals.confdir, values.user);
    const set = path(args[0] ?? '');
    const pin = handed?.pin ?? (await findPin(values.fingerprint, globals.confdir));
    if ('unknown' in pin)
      throw failure(
        'state',
        `whose set it must be is not known: ${pin.unknown}`,
        "give your server's fingerprint: --fingerprint FP",
      );
    const source = sourceOf(set, values, terminal);
    await refuseLive(source.near, [globals.confdir]);
    const { file, seen } = handed ?? (await lookAtFile(set, source.near));
    const given = handed === undefined ? source : { ...source, file: HANDED_FILE, passphraseFile: undefined };
    const watch = startStopwatch(handed?.times);
    const evidence = await withRestoreSource(given, terminal, async (read, archive) => {
      if (handed === undefined) watch.lap('decrypt');
      if (isRoot()) await archive.chown(account.uid, account.gid);
      const prepared: Prepared = { file, seen, pin, times: watch.read().times };
      await become(account, terminal, { file: archive.fd, prepared });
      return drillSet(read, { file, pin, account, place: source.near }, watch, terminal);
    });
    if (evidence.failure === null) {
      const unwritten = await rememberDrilled(set, seen);
      if (unwritten !== undefined) terminal.notice(`this drill could not be written down: ${unwritten}`);
      return evidence;
    }
    const { code, message, hint } = evidence.failure;
    if (!globals.json) throw failure(code, `the drill failed: ${message}`, hint ?? undefined);
    process.exitCode = STATUS[code];
    return evidence;
  },
  print: (evidence, terminal) => terminal.write(describeEvidence(evidence)),
});
