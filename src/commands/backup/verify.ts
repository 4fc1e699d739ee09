import { open } from 'node:fs/promises';
import { isClientSet } from '../../lib/backups/include/contents.ts';
import { judge } from '../../lib/backups/verify/checks.ts';
import { type Inspection, inspectSet } from '../../lib/backups/verify/inspect.ts';
import { findClientPin, findPin, type Pin } from '../../lib/backups/verify/pin.ts';
import { rememberVerified } from '../../lib/backups/verify/remember.ts';
import { verifySet } from '../../lib/backups/verify/verify.ts';
import { DEFAULT_SIGNING_HOME } from '../../lib/core/config.ts';
import { STATUS } from '../../lib/core/errors.ts';
import { HANDED_FILE, receiveHandover } from '../../lib/core/handover.ts';
import { lesserAccount } from '../../lib/core/ownership.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { become } from '../../lib/terminal/execute.ts';
import { opening, signingHome } from '../../lib/terminal/options.ts';
import { keyringsOf, sourceOf } from '../../lib/terminal/set-source.ts';
import { path } from '../../lib/terminal/values.ts';
import { describeChecks } from '../../lib/terminal/verify.ts';

/** What the caller has found, in a form that another process can go on with. */
interface Prepared extends Omit<Inspection, 'archive'> {
  pin: Pin;
  hasArchive: boolean;
}

/** `backup verify`: checks a set without touching a server. */
export default bareCommand({
  shortConfdir: true,
  words: '<file>',
  options: { ...opening, signingHome },
  examples: [
    'ktadmin backup verify kts_bak_kts01_example_com_2026-02-10_11-14-37.tar.gpg',
    'ktbackup verify /mnt/safe/set.tar.gpg --passphrase-file /root/passphrase --json',
  ],
  async run(values, { globals, terminal, args }) {
    const handed = (await receiveHandover())?.prepared as Prepared | undefined;
    const file = path(args[0] ?? '');
    const home = values.signingHome ?? DEFAULT_SIGNING_HOME;
    const findOwn = () =>
      isClientSet(file)
        ? findClientPin(values.fingerprint, home)
        : findPin(values.fingerprint, globals.confdir);
    const pin = handed?.pin ?? (await findOwn());
    const source = sourceOf(file, values, terminal);
    const keyrings = keyringsOf(source, isClientSet(file) ? home : globals.confdir);
    const seen = handed === undefined ? await inspectSet(source, keyrings, terminal) : await takeOver(handed);
    const { archive, ...found } = seen;
    try {
      const account = await lesserAccount(globals.confdir);
      if (account !== undefined) {
        await archive?.chown(account.uid, account.gid);
        const prepared: Prepared = { ...found, pin, hasArchive: archive !== undefined };
        await become(account, terminal, { prepared, ...(archive === undefined ? {} : { file: archive.fd }) });
      }
      const checks = await verifySet(file, seen, pin, terminal);
      const unwritten = seen.file === undefined ? undefined : await rememberVerified(file, seen.file, checks);
      if (unwritten !== undefined) terminal.notice(`this check could not be written down: ${unwritten}`);
      process.exitCode = STATUS[judge(checks).code];
      return checks;
    } finally {
      await archive?.close();
    }
  },
  print: (checks, terminal) => terminal.write(describeChecks(checks)),
});

async function takeOver({ findings, receipt, file, hasArchive }: Prepared): Promise<Inspection> {
  return { findings, receipt, file, archive: hasArchive ? await open(HANDED_FILE, 'r') : undefined };
}
